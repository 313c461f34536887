import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A grant is a rule with an end that a person made from a card. A new or revoked one wakes every replica. */
export class AddGrants1795464000032 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table grants (
        id uuid constraint pk_grants primary key,
        approval_id uuid not null,
        key_id text not null,
        session_id text not null,
        tool text not null,
        scope text not null,
        words text not null,
        policy_version text,
        made_by_kind text not null,
        made_by_id text not null,
        made_by_name text not null,
        made_at timestamptz not null,
        expires_at timestamptz not null,
        max_uses integer constraint ck_grants_max_uses check (max_uses > 0),
        uses integer not null,
        revoked_at timestamptz,
        revoked_by text,
        revoked_why text,
        constraint ck_grants_uses check (uses >= 0 and (max_uses is null or uses <= max_uses)),
        constraint ck_grants_time check (expires_at > made_at and expires_at <= made_at + interval '8 hours'),
        constraint ck_grants_revoked check ((revoked_at is null) = (revoked_by is null)
          and (revoked_at is null) = (revoked_why is null)))`);
    await runner.query('create index ix_grants_open on grants (key_id, session_id) where revoked_at is null');
    await runner.query('create index ix_grants_expires on grants (expires_at)');
    await runner.query(`
      create function notify_grants() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        perform pg_notify('grants_changed', '');
        return null;
      end $$`);
    await runner.query(`
      create trigger tr_grants_changed after insert or update of revoked_at on grants
      for each row execute function notify_grants()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table grants');
    await runner.query('drop function notify_grants()');
  }
}
