import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The names in the body begin with `schema`, which is empty where `path` finds them. */
const auditPrune = (schema: string, path: string): string => `
      create or replace function ${schema}audit_prune(before timestamptz) returns table (removed bigint, up_to bigint)
      language plpgsql security definer set search_path = ${path} as $$
      declare
        boundary bigint;
        gone bigint;
      begin
        if before > now() - interval '1 day' then
          raise exception 'audit rows younger than a day stay' using errcode = '22023';
        end if;
        select c.number into boundary from ${schema}audit_checkpoints c
          join ${schema}audit_seals s on s.number = c.number and s.hash = c.hash
          order by c.number limit 1;
        if boundary is null or exists (
          select 1 from ${schema}audit_seals s join ${schema}audit_log a on a.seq = s.seq
          where s.number <= boundary and a.at >= before
        ) then
          return query select 0::bigint, null::bigint;
          return;
        end if;
        delete from ${schema}audit_log a using ${schema}audit_seals s where s.seq = a.seq and s.number <= boundary;
        get diagnostics gone = row_count;
        delete from ${schema}audit_seals where number <= boundary;
        return query select gone, boundary;
      end $$`;

/**
 * The function runs as the owner. PostgreSQL looks into the caller's temporary tables first unless the search path names
 * `pg_temp`: a temporary `audit_seals` with a trigger ran the caller's code as the owner.
 */
export class QualifyAuditPrune1795464000017 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(
      `select relnamespace::regnamespace::text as schema from pg_class where oid = 'audit_log'::regclass`,
    )) as { schema: string }[];
    if (table === undefined) throw new Error('there is no table audit_log');
    await runner.query(auditPrune(`${table.schema}.`, 'pg_catalog, pg_temp'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(auditPrune('', 'pg_catalog, public'));
  }
}
