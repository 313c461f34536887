import type { MigrationInterface, QueryRunner } from 'typeorm';

/** No transaction of the service lasts while so many numbers are given out. */
const COMMITTED_LATE = 100_000;

/**
 * Each audit row enters a queue as it is written, and its seal removes it. The queue has what committed, in whatever order:
 * numbers of a sequence become visible out of order. The trigger's function runs as the owner, so that replicas of an earlier
 * version write audit rows without a right to the queue.
 */
export class QueueUnsealedAuditRows1795464000021 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(
      `select relnamespace::regnamespace::text as schema from pg_class where oid = 'audit_log'::regclass`,
    )) as { schema: string }[];
    if (table === undefined) throw new Error('there is no table audit_log');
    await runner.query('create table audit_unsealed (seq bigint constraint pk_audit_unsealed primary key)');
    await runner.query(`
      insert into audit_unsealed (seq) select seq from audit_log a
      where not exists (select from audit_seals s where s.seq = a.seq)`);
    await runner.query(`
      create function audit_enqueue() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      begin
        insert into ${table.schema}.audit_unsealed (seq) select seq from written on conflict do nothing;
        return null;
      end $$`);
    await runner.query('revoke execute on function audit_enqueue() from public');
    // The trigger waits for running writers and holds up new ones, so only the rows since the scan above are read again.
    await runner.query(`
      create trigger audit_log_enqueue after insert on audit_log referencing new table as written
      for each statement execute function audit_enqueue()`);
    await runner.query(`
      insert into audit_unsealed (seq) select seq from audit_log a
      where a.seq > (select coalesce(max(seq), 0) - ${COMMITTED_LATE} from audit_unsealed)
        and a.seq > (select coalesce(max(seq), 0) - ${COMMITTED_LATE} from audit_seals)
        and not exists (select from audit_seals s where s.seq = a.seq)
      on conflict do nothing`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop trigger audit_log_enqueue on audit_log');
    await runner.query('drop function audit_enqueue()');
    await runner.query('drop table audit_unsealed');
  }
}
