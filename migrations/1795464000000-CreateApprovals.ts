import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateApprovals1795464000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // RFC 9562 version 7 from the database's clock: sorting by id is sorting by creation.
    await runner.query(`
      create function uuid_v7(at timestamptz) returns uuid language sql volatile parallel safe as $$
        select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6),
          52, 1), 53, 1), 'hex')::uuid
      $$`);
    await runner.query(`
      create table approvals (
        id uuid constraint pk_approvals primary key,
        status text not null default 'pending',
        key_id text not null,
        agent_id text not null,
        session_id text not null,
        request text not null,
        input_digest text not null,
        correlation_id text not null,
        idempotency_key text,
        body_digest bytea,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        settled_at timestamptz,
        settled_by_kind text,
        settled_by_id text,
        settled_by_name text,
        reason text,
        acknowledged text,
        constraint ck_approvals_status check (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
        constraint ck_approvals_settled check (
          (status = 'pending') = (settled_at is null) and (status = 'pending') = (settled_by_id is null))
      )`);
    await runner.query(`
      create unique index uq_approvals_idempotency on approvals (key_id, idempotency_key)
        where idempotency_key is not null`);
    await runner.query(`create index ix_approvals_own on approvals (key_id, id)`);
    await runner.query(`create index ix_approvals_due on approvals (expires_at) where status = 'pending'`);
    await runner.query(
      `create index ix_approvals_pending_own on approvals (key_id) where status = 'pending'`,
    );
    await runner.query(`
      create table audit_log (
        seq bigint generated always as identity constraint pk_audit_log primary key,
        at timestamptz not null,
        type text not null,
        actor text not null,
        approval_id uuid,
        correlation_id text,
        data text not null
      )`);
    await runner.query(`create index ix_audit_log_approval on audit_log (approval_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table audit_log`);
    await runner.query(`drop table approvals`);
    await runner.query(`drop function uuid_v7(timestamptz)`);
  }
}
