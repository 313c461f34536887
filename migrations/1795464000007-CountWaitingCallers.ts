import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CountWaitingCallers1795464000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Who asked waits from the start; nobody waits any more once departed = joined + 1.
    await runner.query(`alter table approvals add column joined integer not null default 0`);
    await runner.query(`alter table approvals add column departed integer not null default 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table approvals drop column departed`);
    await runner.query(`alter table approvals drop column joined`);
  }
}
