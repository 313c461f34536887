import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The answers of the person who answered a question of an agent, as JSON. */
export class AddAnswers1795464000039 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals add column answers text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table approvals drop column answers');
  }
}
