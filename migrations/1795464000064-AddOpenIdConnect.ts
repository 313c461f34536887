import type { MigrationInterface, QueryRunner } from 'typeorm';

const eligiblePerson = (schema: string, byProvider: string): string => `
  create or replace function eligible_person(asker_owner text, required jsonb, by_kind text, by_id text) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
    select name from ${schema}.policy_state join ${schema}.people on version = active_version
    where case
        when by_kind = 'telegram' then telegram::text = by_id
        when by_kind = 'console' and by_id like 'person:%' then name = substr(by_id, 8)
          and exists (select from ${schema}.passkeys k where k.person = substr(by_id, 8) and k.revoked_at is null)${byProvider}
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
 * Sign-ins at an OpenID provider. A session may stand for an account there, and its account here is `oidc:` and the name of the
 * person, which no key can have. The person's e-mail and subject come from the policy.
 */
export class AddOpenIdConnect1795464000064 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const schema = await schemaOf(runner);
    await runner.query(`
      create table oidc_sign_ins (
        state_digest bytea constraint pk_oidc_sign_ins primary key,
        browser_digest bytea not null,
        nonce text not null,
        code_verifier text not null,
        expires_at timestamptz not null)`);
    await runner.query('alter table people add column email text, add column subject text');
    // Versions that were applied before name e-mails already.
    await runner.query(`
      update people set email = lower(document::json -> 'people' -> name ->> 'email')
      from policy_versions where policy_versions.version = people.version`);
    await runner.query(`
      alter table console_sessions
        add column oidc_person text, add column oidc_subject text, add column oidc_email text`);
    await runner.query(
      eligiblePerson(
        schema,
        `
        when by_kind = 'console' and by_id like 'oidc:%' then name = substr(by_id, 6)
          and (email is not null or subject is not null)`,
      ),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(eligiblePerson(await schemaOf(runner), ''));
    await runner.query('delete from console_sessions where oidc_person is not null');
    await runner.query(`
      alter table console_sessions
        drop column oidc_person, drop column oidc_subject, drop column oidc_email`);
    await runner.query('alter table people drop column email, drop column subject');
    await runner.query('drop table oidc_sign_ins');
  }
}
