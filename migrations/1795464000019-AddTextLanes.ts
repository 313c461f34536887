import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Name of the lane that versions without `lane` write as a chat and a topic; topic 0 is the chat itself. */
const LANE = (row: string) =>
  `'telegram:' || ${row}chat_id || coalesce('/' || nullif(${row}thread_id, 0), '')`;

/**
 * A lane is a text that only its channel reads. Versions without `lane` run beside this one: a trigger keeps `chat_id`
 * and `thread_id` in step with it. They need `uq_outbox_work`, so until that index is dropped, all work of one kind for
 * an approval stays in one lane. The next version drops the trigger, the index and the two columns.
 */
export class AddTextLanes1795464000019 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(
      `select relnamespace::regnamespace::text as schema from pg_class where oid = 'outbox'::regclass`,
    )) as { schema: string }[];
    if (table === undefined) throw new Error('there is no table outbox');
    await runner.query(`alter table outbox add column lane text`);
    await runner.query(`update outbox set lane = ${LANE('')}`);
    await runner.query(`alter table outbox alter column lane set not null`);
    await runner.query(`create unique index uq_outbox_lane_work on outbox (approval_id, lane, kind)`);
    await runner.query(
      `create index ix_outbox_text_lane on outbox (lane, urgency, id) where dead_at is null`,
    );
    await runner.query(`
      create function outbox_lane() returns trigger language plpgsql as $$
      declare
        taken text;
      begin
        if new.lane is null or (tg_op = 'UPDATE' and new.lane = old.lane) then
          new.lane := ${LANE('new.')};
          return new;
        end if;
        -- A new card has no other work of its kind.
        if tg_op = 'INSERT' and new.kind <> 'card' and new.approval_id is not null then
          select lane into taken from ${table.schema}.outbox
            where approval_id = new.approval_id and kind = new.kind for update;
          new.lane := coalesce(taken, new.lane);
        end if;
        new.chat_id := split_part(split_part(new.lane, ':', 2), '/', 1)::bigint;
        new.thread_id := coalesce(nullif(split_part(new.lane, '/', 2), ''), '0')::bigint;
        return new;
      end $$`);
    await runner.query(`
      create trigger tr_outbox_lane before insert or update of lane, chat_id, thread_id on outbox
        for each row execute function outbox_lane()`);
    // One row is one lane: whether it may be written to now, and whether its operators know of a backlog.
    await runner.query(`
      create table outbox_lanes (
        lane text constraint pk_outbox_lanes primary key,
        failures integer not null default 0,
        available_at timestamptz not null,
        digest_at timestamptz
      )`);
    await runner.query(`
      insert into outbox_lanes (lane, failures, available_at, digest_at)
      select ${LANE('')}, failures, available_at, digest_at from lane_states`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table outbox_lanes`);
    // Operators may be told of a backlog twice, but not never.
    await runner.query(`update lane_states set digest_at = null`);
    await runner.query(`drop trigger tr_outbox_lane on outbox`);
    await runner.query(`drop function outbox_lane()`);
    await runner.query(`drop index ix_outbox_text_lane`);
    await runner.query(`drop index uq_outbox_lane_work`);
    await runner.query(`alter table outbox drop column lane`);
  }
}
