import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The admin who erased the input of a request, the time and the reason. */
export class AddErasures1795464000070 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals add column erased jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals drop column erased');
  }
}
