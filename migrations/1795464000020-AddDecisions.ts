import type { MigrationInterface, QueryRunner } from 'typeorm';

const COLUMNS = 'approval_id, by_kind, by_id, by_name, verdict, reason, decided_at';

const decisionOf = (row: string) =>
  `${row}id, ${row}settled_by_kind, ${row}settled_by_id, coalesce(${row}settled_by_name, ${row}settled_by_id),
   ${row}status, ${row}reason, ${row}settled_at`;

const backfill = (condition: string) => `
  insert into decisions (${COLUMNS})
  select ${decisionOf('')} from approvals where status in ('approved', 'rejected') and ${condition}
  on conflict do nothing`;

/**
 * One row is what one person decided about one approval. Until the next version drops it, a trigger writes the rows of
 * replicas that do not know the table. Its function runs as the owner, since their role has no right to it.
 */
export class AddDecisions1795464000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(
      `select relnamespace::regnamespace::text as schema from pg_class where oid = 'approvals'::regclass`,
    )) as { schema: string }[];
    if (table === undefined) throw new Error('there is no table approvals');
    await runner.query(`
      create table decisions (
        approval_id uuid not null,
        by_kind text not null,
        by_id text not null,
        by_name text not null,
        verdict text not null,
        reason text,
        display_digest text,
        decided_at timestamptz not null,
        constraint pk_decisions primary key (approval_id, by_kind, by_id),
        constraint ck_decisions_verdict check (verdict in ('approved', 'rejected'))
      )`);
    await runner.query(backfill('true'));
    await runner.query(`
      create function approvals_note_decision() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      begin
        insert into ${table.schema}.decisions (${COLUMNS}) values (${decisionOf('new.')})
        on conflict (approval_id, by_kind, by_id) do update set reason = excluded.reason
          where decisions.reason is distinct from excluded.reason;
        return null;
      end $$`);
    await runner.query('revoke execute on function approvals_note_decision() from public');
    // The trigger waits for running writers and holds up new ones: only what they settled since is read again.
    await runner.query(`
      create trigger tr_approvals_decision after update of status, reason on approvals
        for each row when (new.status in ('approved', 'rejected')) execute function approvals_note_decision()`);
    await runner.query(backfill(`settled_at > now() - interval '1 minute'`));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop trigger tr_approvals_decision on approvals');
    await runner.query('drop function approvals_note_decision()');
    await runner.query('drop table decisions');
  }
}
