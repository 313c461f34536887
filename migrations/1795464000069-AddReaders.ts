import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The names of groups and people whom the chain of a request asks or notifies: they see it, too, where groups decide it. */
export class AddReaders1795464000069 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals add column asked text[]');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals drop column asked');
  }
}
