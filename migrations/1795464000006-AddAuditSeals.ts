import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddAuditSeals1795464000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row seals one row of the audit log, in an order of its own: rows may commit out of the order of their seq.
    await runner.query(`
      create table audit_seals (
        number bigint constraint pk_audit_seals primary key,
        seq bigint not null constraint uq_audit_seals_seq unique,
        previous text not null,
        hash text not null
      )`);
    // One row is a signed statement of how far the log had come, which was written to a file outside the database.
    await runner.query(`
      create table audit_checkpoints (
        number bigint constraint pk_audit_checkpoints primary key,
        hash text not null,
        jws text not null,
        exported_at timestamptz not null
      )`);
    // The only way to remove rows: as the owner of the tables, as far as an exported checkpoint covers them, and never
    // of the last day. A call removes what lies before one checkpoint; call until `up_to` is null.
    await runner.query(`
      create function audit_prune(before timestamptz) returns table (removed bigint, up_to bigint)
      language plpgsql security definer set search_path = pg_catalog, public as $$
      declare
        boundary bigint;
        gone bigint;
      begin
        if before > now() - interval '1 day' then
          raise exception 'audit rows younger than a day stay' using errcode = '22023';
        end if;
        select c.number into boundary from audit_checkpoints c
          join audit_seals s on s.number = c.number and s.hash = c.hash
          order by c.number limit 1;
        if boundary is null or exists (
          select 1 from audit_seals s join audit_log a on a.seq = s.seq
          where s.number <= boundary and a.at >= before
        ) then
          return query select 0::bigint, null::bigint;
          return;
        end if;
        delete from audit_log a using audit_seals s where s.seq = a.seq and s.number <= boundary;
        get diagnostics gone = row_count;
        delete from audit_seals where number <= boundary;
        return query select gone, boundary;
      end $$`);
    await runner.query(`revoke execute on function audit_prune(timestamptz) from public`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop function audit_prune(timestamptz)`);
    await runner.query(`drop table audit_checkpoints`);
    await runner.query(`drop table audit_seals`);
  }
}
