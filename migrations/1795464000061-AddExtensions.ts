import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The person who gave a request more time last. */
export class AddExtensions1795464000061 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals add column extension jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals drop column extension');
  }
}
