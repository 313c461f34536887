import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddTraceparent1795464000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Where the span of the request stands in its trace, for those who go on with it; null: it was not traced.
    await runner.query(`alter table approvals add column traceparent text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table approvals drop column traceparent`);
  }
}
