import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Claude Code reports every tool that ran: the request that it is about is found by its session. */
export class IndexHookCalls1795464000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table approvals add column connector text`);
    await runner.query(`
      create index ix_approvals_hook_calls on approvals (session_id, key_id)
        where connector = 'hook' and (status = 'pending' or (status = 'approved'
          and coalesce(acknowledged, '') not in ('ran', 'failed')))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index ix_approvals_hook_calls`);
    await runner.query(`alter table approvals drop column connector`);
  }
}
