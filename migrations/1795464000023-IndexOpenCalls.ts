import type { MigrationInterface, QueryRunner } from 'typeorm';

const OPEN = `(status = 'pending' or (status = 'approved' and coalesce(acknowledged, '') not in ('ran', 'failed')))`;

/** Indexes the open calls of every connector. The index covers those of the one before, whose replicas use it too. */
export class IndexOpenCalls1795464000023 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create index ix_approvals_open_calls on approvals (session_id, key_id)
        where connector is not null and ${OPEN}`);
    await runner.query(`drop index ix_approvals_hook_calls`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create index ix_approvals_hook_calls on approvals (session_id, key_id)
        where connector = 'hook' and ${OPEN}`);
    await runner.query(`drop index ix_approvals_open_calls`);
  }
}
