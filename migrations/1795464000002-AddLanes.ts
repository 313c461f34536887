import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddLanes1795464000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row is one chat: whether it may be written to now, and whether its operators know of a backlog.
    await runner.query(`
      create table lanes (
        chat_id bigint constraint pk_lanes primary key,
        failures integer not null default 0,
        available_at timestamptz not null,
        digest_at timestamptz
      )`);
    // One row is one call that counts against the bot's send budget; rows older than a minute are deleted.
    await runner.query(`
      create table send_slots (
        id bigint generated always as identity constraint pk_send_slots primary key,
        chat_id bigint not null,
        at timestamptz not null
      )`);
    await runner.query(`create index ix_send_slots_at on send_slots (at)`);
    await runner.query(`insert into leases (name, holder, expires_at) values ('send-budget', '', now())`);
    await runner.query(`alter table outbox alter column approval_id drop not null`);
    await runner.query(`alter table outbox add column data text`);
    await runner.query(`alter table outbox drop constraint ck_outbox_kind`);
    await runner.query(`
      alter table outbox add constraint ck_outbox_kind
        check (kind in ('card', 'outcome', 'warning', 'digest', 'notice'))`);
    await runner.query(`alter table cards add column closed_at timestamptz`);
    await runner.query(`create index ix_cards_open on cards (approval_id) where closed_at is null`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index ix_cards_open`);
    await runner.query(`alter table cards drop column closed_at`);
    await runner.query(`delete from outbox where approval_id is null`);
    await runner.query(`alter table outbox drop constraint ck_outbox_kind`);
    await runner.query(`
      alter table outbox add constraint ck_outbox_kind check (kind in ('card', 'outcome', 'warning'))`);
    await runner.query(`alter table outbox drop column data`);
    await runner.query(`alter table outbox alter column approval_id set not null`);
    await runner.query(`delete from leases where name = 'send-budget'`);
    await runner.query(`drop table send_slots`);
    await runner.query(`drop table lanes`);
  }
}
