import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateEscalation1795464000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row is one piece of Telegram work that must still happen; a finished one is deleted.
    await runner.query(`
      create table outbox (
        id bigint generated always as identity constraint pk_outbox primary key,
        approval_id uuid not null,
        kind text not null,
        chat_id bigint not null,
        urgency smallint not null,
        created_at timestamptz not null,
        available_at timestamptz not null,
        lease_token bigint not null default 0,
        attempts integer not null default 0,
        dead_at timestamptz,
        last_error text,
        constraint ck_outbox_kind check (kind in ('card', 'outcome', 'warning'))
      )`);
    await runner.query(`create unique index uq_outbox_work on outbox (approval_id, kind)`);
    await runner.query(`create index ix_outbox_ready on outbox (chat_id, urgency, id) where dead_at is null`);
    // One row is one attempt to put an approval before the operators; the nonce is what its buttons carry.
    await runner.query(`
      create table cards (
        id bigint generated always as identity constraint pk_cards primary key,
        approval_id uuid not null,
        chat_id bigint not null,
        nonce text not null constraint uq_cards_nonce unique,
        message_id bigint,
        sending_at timestamptz,
        document_message_id bigint,
        document_sha256 text,
        display_digest text,
        created_at timestamptz not null,
        sent_at timestamptz
      )`);
    await runner.query(`create index ix_cards_approval on cards (approval_id)`);
    await runner.query(`create index ix_cards_message on cards (chat_id, message_id)`);
    await runner.query(`
      create table leases (
        name text constraint pk_leases primary key,
        holder text not null,
        expires_at timestamptz not null,
        data text not null default '{}'
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table leases`);
    await runner.query(`drop table cards`);
    await runner.query(`drop table outbox`);
  }
}
