import type { MigrationInterface, QueryRunner } from 'typeorm';

const requireQuorum = (schema: string, signed: string): string => `
  create or replace function approvals_require_quorum() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  declare
    counted integer;
  begin
    select count(distinct ${schema}.eligible_person(new.owner, new.required, by_kind, by_id)) into counted
    from ${schema}.decisions where approval_id = new.id and verdict = 'approved'${signed};
    if counted < coalesce((new.required ->> 'approvals')::integer, 1) then
      raise check_violation using constraint = 'ck_approvals_quorum',
        message = format('approval %s has %s of the required approvals', new.id, counted);
    end if;
    return null;
  end $$`;

async function schemaOf(runner: QueryRunner): Promise<string> {
  const [table] = (await runner.query(
    `select relnamespace::regnamespace::text as schema from pg_class where oid = 'approvals'::regclass`,
  )) as { schema: string }[];
  if (table === undefined) throw new Error('there is no table approvals');
  return table.schema;
}

/**
 * Stores the signature of a passkey over a decision. Where the policy asks for a passkey (`via`), the trigger counts only what was signed in
 * the console, whatever version of the service settles it.
 */
export class AddSignedDecisions1795464000053 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table decisions add column signed text');
    const signed = `
      and (new.required ->> 'via' is distinct from 'console' or (by_kind = 'console' and signed is not null))`;
    await runner.query(requireQuorum(await schemaOf(runner), signed));
  }

  async down(runner: QueryRunner): Promise<void> {
    // The older version would let every channel approve: its sweep ends these instead.
    await runner.query(
      `update approvals set expires_at = now()
       where status = 'pending' and required ->> 'via' = 'console' and expires_at > now()`,
    );
    await runner.query(requireQuorum(await schemaOf(runner), ''));
    await runner.query('alter table decisions drop column signed');
  }
}
