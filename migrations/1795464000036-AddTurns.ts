import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A turn is several calls of a session that one message summarises. Each of their cards names it. */
export class AddTurns1795464000036 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table turns (
        id bigint generated always as identity constraint pk_turns primary key,
        approval_id uuid not null,
        chat_id bigint not null,
        thread_id bigint not null default 0,
        nonce text not null constraint uq_turns_nonce unique,
        message_id bigint,
        sends integer not null default 0 constraint ck_turns_sends check (sends between 0 and 2),
        sending_at timestamptz,
        shown text,
        created_at timestamptz not null,
        closed_at timestamptz)`);
    await runner.query('create index ix_turns_approval on turns (approval_id)');
    await runner.query('create index ix_turns_message on turns (chat_id, message_id)');
    await runner.query('create index ix_turns_open on turns (chat_id) where closed_at is null');
    await runner.query(`
      alter table cards add column turn_id bigint, add column turn_number integer,
        add column in_turn boolean not null default false`);
    await runner.query('create index ix_cards_turn on cards (turn_id) where turn_id is not null');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index ix_cards_turn');
    await runner.query(`
      alter table cards drop column in_turn, drop column turn_number, drop column turn_id`);
    await runner.query('drop table turns');
    // The version before cannot compose a summary.
    await runner.query(`delete from outbox where kind = 'notice' and data::jsonb ? 'turnsOf'`);
  }
}
