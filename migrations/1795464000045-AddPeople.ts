import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The people of each policy version, what an approval requires beyond one operator, and a trigger that refuses an approval
 * before that is met, whatever version of the service settles it.
 */
export class AddPeople1795464000045 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(
      `select relnamespace::regnamespace::text as schema from pg_class where oid = 'approvals'::regclass`,
    )) as { schema: string }[];
    if (table === undefined) throw new Error('there is no table approvals');
    const { schema } = table;
    await runner.query(`
      create table people (
        version text not null,
        name text not null,
        telegram bigint,
        groups text[] not null,
        constraint pk_people primary key (version, name),
        constraint uq_people_telegram unique (version, telegram))`);
    // There are versions with people if this migration was reverted meanwhile.
    await runner.query(`
      insert into people (version, name, telegram, groups)
      select version, key, (value ->> 'telegram')::bigint,
        array(select json_array_elements_text(coalesce(value -> 'groups', '[]')))
      from policy_versions, json_each(coalesce(document::json -> 'people', '{}'))`);
    await runner.query('alter table approvals add column required jsonb');
    await runner.query(`
      create function eligible_person(asker_owner text, required jsonb, by_kind text, by_id text) returns text
      language sql stable set search_path = pg_catalog, pg_temp as $$
        select name from ${schema}.policy_state join ${schema}.people on version = active_version
        where case
            when by_kind = 'telegram' then telegram::text = by_id
            when by_kind in ('api', 'console') then name = (select lower(btrim(owner)) from ${schema}.api_keys k
              where k.name = by_id and k.role = 'operator' and k.revoked_at is null)
          end
          and name is distinct from lower(btrim(asker_owner))
          and not exists (select from jsonb_array_elements(required -> 'from') as demanded
            where not demanded ?| groups)
      $$`);
    await runner.query(`
      create function approvals_require_quorum() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      declare
        counted integer;
      begin
        select count(distinct ${schema}.eligible_person(new.owner, new.required, by_kind, by_id)) into counted
        from ${schema}.decisions where approval_id = new.id and verdict = 'approved';
        if counted < coalesce((new.required ->> 'approvals')::integer, 1) then
          raise check_violation using constraint = 'ck_approvals_quorum',
            message = format('approval %s has %s of the required approvals', new.id, counted);
        end if;
        return null;
      end $$`);
    await runner.query('revoke execute on function approvals_require_quorum() from public');
    // Its name sorts behind that of the trigger that records the decision of an older replica.
    await runner.query(`
      create trigger tr_approvals_quorum after update of status on approvals
        for each row when (old.status = 'pending' and new.status = 'approved' and new.required is not null)
        execute function approvals_require_quorum()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    // One approval would settle what needs several: the sweep of the older version ends these instead.
    await runner.query(
      `update approvals set expires_at = now() where status = 'pending' and required is not null and expires_at > now()`,
    );
    await runner.query('drop trigger tr_approvals_quorum on approvals');
    await runner.query('drop function approvals_require_quorum()');
    await runner.query('drop function eligible_person(text, jsonb, text, text)');
    await runner.query('alter table approvals drop column required');
    await runner.query('drop table people');
  }
}
