import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Policy versions are immutable; one row says which is active, and whether its rules are stopped. */
export class AddPolicy1795464000024 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table policy_versions (
        version text constraint pk_policy_versions primary key,
        document text not null,
        source text not null,
        created_at timestamptz not null)`);
    await runner.query(`
      create table policy_activations (
        seq bigint generated always as identity constraint pk_policy_activations primary key,
        version text not null constraint fk_policy_activations_version references policy_versions (version),
        cause text not null constraint ck_policy_activations_cause check (cause in ('apply', 'rollback', 'file')),
        actor text not null,
        at timestamptz not null)`);
    await runner.query(`
      create table policy_state (
        id smallint not null default 1 constraint pk_policy_state primary key
          constraint ck_policy_state_single check (id = 1),
        active_version text constraint fk_policy_state_version references policy_versions (version),
        stopped_at timestamptz,
        stopped_by text)`);
    await runner.query('insert into policy_state default values');
    await runner.query(`
      create table policy_proposals (
        id uuid constraint pk_policy_proposals primary key,
        version text not null constraint fk_policy_proposals_version references policy_versions (version),
        replaces text,
        proposed_by text not null,
        owner text,
        created_at timestamptz not null,
        approved_by text,
        approved_at timestamptz)`);
    await runner.query('alter table approvals add column policy text');
    await runner.query('alter table replicas add column policy_level integer');
    await runner.query('alter table api_keys drop constraint ck_api_keys_role');
    await runner.query(`alter table api_keys add constraint ck_api_keys_role
      check (role in ('agent', 'operator', 'observer', 'admin'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    // The version before knows no such role. A name is never reused, so the key stays as a revoked one.
    await runner.query(`update api_keys set role = 'observer', revoked_at = coalesce(revoked_at, now())
      where role = 'admin'`);
    await runner.query('alter table api_keys drop constraint ck_api_keys_role');
    await runner.query(`alter table api_keys add constraint ck_api_keys_role
      check (role in ('agent', 'operator', 'observer'))`);
    await runner.query('alter table replicas drop column policy_level');
    await runner.query('alter table approvals drop column policy');
    await runner.query('drop table policy_proposals');
    await runner.query('drop table policy_state');
    await runner.query('drop table policy_activations');
    await runner.query('drop table policy_versions');
  }
}
