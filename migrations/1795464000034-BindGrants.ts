import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A grant may be bound to a directory in place of a session, and remembers how fast it is used. A rejection, and another
 * policy version, revoke grants by triggers: also where a replica of an earlier version writes them.
 */
export class BindGrants1795464000034 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const schema = await schemaOf(runner);
    await runner.query(`
      alter table grants add column cwd text, add column pace_at timestamptz,
        add column pace_uses integer not null default 0, add column alarmed_at timestamptz`);
    await runner.query('create unique index uq_grants_approval on grants (approval_id)');
    // RFC 8785 sorts the members of a request, and PostgreSQL cannot read those of one with U+0000.
    await runner.query(`
      create function revoke_grants_of_rejected() returns trigger
      language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        ${revoke(
          schema,
          `key_id = new.key_id and case when cwd is null then session_id = new.session_id
            else starts_with(new.request, '{"agentId":"' || new.agent_id || '","cwd":"' || cwd || '",') end`,
          { at: 'new.settled_at', by: `new.settled_by_kind || ':' || new.settled_by_id`, cause: 'rejection' },
        )}
        return null;
      end $$`);
    await runner.query(`
      create trigger tr_approvals_rejected after insert or update of status on approvals
      for each row when (new.status = 'rejected') execute function revoke_grants_of_rejected()`);
    await runner.query(`
      create function revoke_grants_of_policy() returns trigger
      language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        ${revoke(schema, 'true', { at: 'new.at', by: 'new.actor', cause: 'policy' })}
        return null;
      end $$`);
    await runner.query(`
      create trigger tr_policy_activated after insert on policy_activations
      for each row execute function revoke_grants_of_policy()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop trigger tr_policy_activated on policy_activations');
    await runner.query('drop trigger tr_approvals_rejected on approvals');
    await runner.query('drop function revoke_grants_of_policy()');
    await runner.query('drop function revoke_grants_of_rejected()');
    await runner.query('drop index uq_grants_approval');
    // An earlier version knows no other place than a session.
    await runner.query('delete from grants where cwd is not null');
    await runner.query(
      'alter table grants drop column cwd, drop column pace_at, drop column pace_uses, drop column alarmed_at',
    );
  }
}

interface Revocation {
  readonly at: string;
  readonly by: string;
  readonly cause: string;
}

/** Locks in the order of the ids, as the uses do. */
function revoke(schema: string, where: string, { at, by, cause }: Revocation): string {
  return `
        with revoked as (
          update ${schema}.grants set revoked_at = ${at}, revoked_by = ${by}, revoked_why = '${cause}'
          where id = any(array(
            select id from ${schema}.grants where revoked_at is null and expires_at > now() and (${where})
            order by id for update))
          returning id, approval_id, revoked_at, revoked_by, revoked_why
        )
        insert into ${schema}.audit_log (at, type, actor, approval_id, data)
        select revoked_at, 'grant.revoked', revoked_by, approval_id,
          json_build_object('grant', id, 'cause', revoked_why)::text
        from revoked;`;
}

async function schemaOf(runner: QueryRunner): Promise<string> {
  const [table] = (await runner.query(
    `select relnamespace::regnamespace::text as schema from pg_class where oid = 'grants'::regclass`,
  )) as { schema: string }[];
  if (table === undefined) throw new Error('there is no table grants');
  return table.schema;
}
