import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddTopics1795464000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // 0 is the chat itself, which in a forum is its General topic.
    await runner.query(`alter table outbox add column thread_id bigint not null default 0`);
    await runner.query(`alter table cards add column thread_id bigint not null default 0`);
    await runner.query(`drop index ix_outbox_ready`);
    await runner.query(
      `create index ix_outbox_lane on outbox (chat_id, thread_id, urgency, id) where dead_at is null`,
    );
    // One row is one lane: a chat or one of its topics. A row of lanes holds its whole chat.
    await runner.query(`
      create table lane_states (
        chat_id bigint not null,
        thread_id bigint not null,
        failures integer not null default 0,
        available_at timestamptz not null,
        digest_at timestamptz,
        constraint pk_lane_states primary key (chat_id, thread_id)
      )`);
    // One row is one group that became a supergroup, which has another id.
    await runner.query(`
      create table chat_moves (
        from_chat_id bigint constraint pk_chat_moves primary key,
        to_chat_id bigint not null,
        moved_at timestamptz not null
      )`);
    // Whether the call took from the share of its chat that outcomes leave to everything else.
    await runner.query(`alter table send_slots add column shared boolean not null default false`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table send_slots drop column shared`);
    await runner.query(`drop table chat_moves`);
    await runner.query(`drop table lane_states`);
    await runner.query(`drop index ix_outbox_lane`);
    await runner.query(`create index ix_outbox_ready on outbox (chat_id, urgency, id) where dead_at is null`);
    await runner.query(`alter table cards drop column thread_id`);
    await runner.query(`alter table outbox drop column thread_id`);
  }
}
