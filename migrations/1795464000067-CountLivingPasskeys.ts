import type { MigrationInterface, QueryRunner } from 'typeorm';

const SIGNED = `
      and (new.required ->> 'via' is distinct from 'console' or (by_kind = 'console' and signed is not null))`;

/** Read by a pattern: PostgreSQL reads no member of JSON where another one has U+0000. */
const SIGNER = `substring(signed from '"credentialId":"([A-Za-z0-9_-]+)"')`;

const requireQuorum = (schema: string, { before, counts }: { before: string; counts: string }): string => `
  create or replace function approvals_require_quorum() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  declare
    counted integer;
  begin${before}
    select count(distinct ${schema}.eligible_person(new.owner, new.required, by_kind, by_id)) into counted
    from ${schema}.decisions where approval_id = new.id and verdict = 'approved'${SIGNED}${counts};
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
 * The trigger counts no decision that a removed passkey signed. It locks the passkeys, so that it waits for a removal, whatever
 * version of the service removes or settles.
 */
export class CountLivingPasskeys1795464000067 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const schema = await schemaOf(runner);
    await runner.query(
      requireQuorum(schema, {
        before: `
    perform from ${schema}.passkeys where revoked_at is null and id in (
      select ${SIGNER} from ${schema}.decisions where approval_id = new.id and verdict = 'approved')
    order by id for share;`,
        counts: `
      and (signed is null or exists (
        select from ${schema}.passkeys k where k.id = ${SIGNER} and k.revoked_at is null))`,
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(requireQuorum(await schemaOf(runner), { before: '', counts: '' }));
  }
}
