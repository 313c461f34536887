import type { MigrationInterface, QueryRunner } from 'typeorm';

const OPEN = `(status = 'pending' or (status = 'approved' and coalesce(acknowledged, '') not in ('ran', 'failed')))`;
const UNDECIDED = `status in ('expired', 'cancelled')`;

/**
 * Indexes the open calls of every connector; the index also serves replicas of the version before, in place of theirs.
 * Indexes the endings without a receipt too. They are those that are not marked as signed, so that a replica of the
 * version before leaves them behind as well.
 */
export class IndexOpenWork1795464000023 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create index ix_approvals_open_calls on approvals (session_id, key_id)
        where connector is not null and ${OPEN}`);
    await runner.query(`drop index ix_approvals_hook_calls`);
    // The default marks all rows at once, without writing them.
    await runner.query(`alter table approvals add column signed boolean default true`);
    await runner.query(`alter table approvals alter column signed drop default`);
    await runner.query(`
      update approvals set signed = null
      where ${UNDECIDED} and not exists (select from receipts where approval_id = approvals.id)`);
    await runner.query(
      `create index ix_approvals_unsigned on approvals (id) where ${UNDECIDED} and signed is null`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index ix_approvals_unsigned`);
    await runner.query(`alter table approvals drop column signed`);
    await runner.query(`
      create index ix_approvals_hook_calls on approvals (session_id, key_id)
        where connector = 'hook' and ${OPEN}`);
    await runner.query(`drop index ix_approvals_open_calls`);
  }
}
