import type { MigrationInterface, QueryRunner } from 'typeorm';

const KINDS = (more: string) => `check (kind in ('card', 'outcome', 'warning', 'digest', 'notice'${more}))`;

const LANE = `'telegram:' || new.chat_id || coalesce('/' || nullif(new.thread_id, 0), '')`;

/**
 * Keeps `chat_id` and `thread_id` of the outbox in step with its lane.
 *
 * @param before put work into the lane where work of its kind waits for the approval, as the version before did
 */
const keepInStep = (schema: string, before: string) => `
  create or replace function outbox_lane() returns trigger language plpgsql as $$
  declare
    taken text;
  begin
    if new.lane is null or (tg_op = 'UPDATE' and new.lane = old.lane) then
      new.lane := ${LANE};
      return new;
    end if;
    ${before.replaceAll('outbox', `${schema}.outbox`)}
    if starts_with(new.lane, 'telegram:') then
      new.chat_id := split_part(split_part(new.lane, ':', 2), '/', 1)::bigint;
      new.thread_id := coalesce(nullif(split_part(new.lane, '/', 2), ''), '0')::bigint;
    end if;
    return new;
  end $$`;

const ONE_LANE = `
    if tg_op = 'INSERT' and new.kind <> 'card' and new.approval_id is not null then
      select lane into taken from outbox
        where approval_id = new.approval_id and kind = new.kind for update;
      new.lane := coalesce(taken, new.lane);
    end if;`;

async function schemaOf(runner: QueryRunner): Promise<string> {
  const [table] = (await runner.query(
    `select relnamespace::regnamespace::text as schema from pg_class where oid = 'outbox'::regclass`,
  )) as { schema: string }[];
  if (table === undefined) throw new Error('there is no table outbox');
  return table.schema;
}

/**
 * Steps of chains in the outbox, cards in several lanes, and the lanes of direct messages. An approval may
 * have work of one kind in several lanes from now on: no running version needs the unique index over approval and kind.
 */
export class AddChains1795464000046 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(keepInStep(await schemaOf(runner), ''));
    await runner.query('drop index uq_outbox_work');
    await runner.query('alter table outbox alter column chat_id drop not null');
    await runner.query('alter table outbox drop constraint ck_outbox_kind');
    await runner.query(`alter table outbox add constraint ck_outbox_kind ${KINDS(`, 'step'`)}`);
    await runner.query('alter table outbox add column refused_at timestamptz');
    await runner.query(`create index ix_outbox_steps on outbox (available_at) where kind = 'step'`);
    await runner.query('alter table approvals add column unreachable_at timestamptz');
    await runner.query(`
      create table direct_lanes (
        kind text not null,
        id text not null,
        lane text not null,
        started_at timestamptz not null,
        constraint pk_direct_lanes primary key (kind, id))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table direct_lanes');
    await runner.query('alter table approvals drop column unreachable_at');
    await runner.query('drop index ix_outbox_steps');
    await runner.query('alter table outbox drop column refused_at');
    // The version before enqueues the cards of these requests at its start: it knows one lane.
    await runner.query(`delete from outbox where kind = 'step'`);
    await runner.query(`
      delete from outbox where exists (select from outbox as other
        where other.approval_id = outbox.approval_id and other.kind = outbox.kind and other.id < outbox.id)`);
    await runner.query('alter table outbox drop constraint ck_outbox_kind');
    await runner.query(`alter table outbox add constraint ck_outbox_kind ${KINDS('')}`);
    await runner.query('alter table outbox alter column chat_id set not null');
    await runner.query('create unique index uq_outbox_work on outbox (approval_id, kind)');
    await runner.query(keepInStep(await schemaOf(runner), ONE_LANE));
  }
}
