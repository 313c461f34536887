import type { MigrationInterface, QueryRunner } from 'typeorm';

const eligiblePerson = (schema: string, byPasskey: string): string => `
  create or replace function eligible_person(asker_owner text, required jsonb, by_kind text, by_id text) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
    select name from ${schema}.policy_state join ${schema}.people on version = active_version
    where case
        when by_kind = 'telegram' then telegram::text = by_id${byPasskey}
        when by_kind in ('api', 'console') then name = (select lower(btrim(owner)) from ${schema}.api_keys k
          where k.name = by_id and k.role = 'operator' and k.revoked_at is null)
      end
      and name is distinct from lower(btrim(asker_owner))
      and not exists (select from jsonb_array_elements(required -> 'from') as demanded
        where not demanded ?| groups)
  $$`;

async function schemaOf(runner: QueryRunner): Promise<string> {
  const [table] = (await runner.query(
    `select relnamespace::regnamespace::text as schema from pg_class where oid = 'approvals'::regclass`,
  )) as { schema: string }[];
  if (table === undefined) throw new Error('there is no table approvals');
  return table.schema;
}

/**
 * Passkeys of people. A session may stand for a passkey, and its account is `person:` and the name of the person, which no
 * key can have: the name of a key has no colon.
 */
export class AddPasskeys1795464000052 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const schema = await schemaOf(runner);
    await runner.query(`
      create table passkeys (
        id text constraint pk_passkeys primary key,
        person text not null,
        public_key bytea not null,
        counter bigint not null,
        is_first boolean not null,
        made_by text not null,
        created_at timestamptz not null,
        used_at timestamptz,
        revoked_at timestamptz)`);
    await runner.query('create unique index uq_passkeys_first on passkeys (person) where is_first');
    await runner.query('create index ix_passkeys_person on passkeys (person)');
    await runner.query(`
      create table passkey_invites (
        digest bytea constraint pk_passkey_invites primary key,
        person text not null,
        is_first boolean not null,
        made_by text not null,
        expires_at timestamptz not null)`);
    await runner.query(`
      create table passkey_challenges (
        nonce text constraint pk_passkey_challenges primary key,
        purpose text not null,
        subject text not null,
        expires_at timestamptz not null)`);
    await runner.query('alter table console_sessions add column passkey_id text');
    await runner.query(
      eligiblePerson(
        schema,
        `
        when by_kind = 'console' and by_id like 'person:%' then name = substr(by_id, 8)
          and exists (select from ${schema}.passkeys k where k.person = substr(by_id, 8) and k.revoked_at is null)`,
      ),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(eligiblePerson(await schemaOf(runner), ''));
    await runner.query('delete from console_sessions where passkey_id is not null');
    await runner.query('alter table console_sessions drop column passkey_id');
    await runner.query('drop table passkey_challenges');
    await runner.query('drop table passkey_invites');
    await runner.query('drop table passkeys');
  }
}
