import type { MigrationInterface, QueryRunner } from 'typeorm';

export class BoundTooLargeRefusals1795464000015 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // An index of its own beside uq_audit_log_flood, which the version before goes on to use.
    await runner.query(`
      create unique index uq_audit_log_too_large on audit_log (actor, date_trunc('minute', at at time zone 'UTC'))
        where type = 'request.too-large'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index uq_audit_log_too_large`);
  }
}
