import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddApiKeys1795464000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A row stays when its key is revoked: approvals and the audit log refer to it by name.
    await runner.query(`
      create table api_keys (
        name text constraint pk_api_keys primary key,
        role text not null,
        owner text,
        digest bytea not null,
        created_at timestamptz not null,
        revoked_at timestamptz,
        last_used_at timestamptz,
        constraint ck_api_keys_role check (role in ('agent', 'operator', 'observer'))
      )`);
    await runner.query(`create unique index uq_api_keys_digest on api_keys (digest)`);
    // What anybody can cause without an identity, or beyond a limit, grows by one row a minute and cause.
    await runner.query(`
      create unique index uq_audit_log_flood on audit_log (type, actor, date_trunc('minute', at at time zone 'UTC'))
        where type in ('access.unauthenticated', 'access.rate-limited')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index uq_audit_log_flood`);
    await runner.query(`drop table api_keys`);
  }
}
