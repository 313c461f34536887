import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The person who says that they are on a request, or that they come back to it later. */
export class AddClaims1795464000060 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals add column claim jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals drop column claim');
  }
}
