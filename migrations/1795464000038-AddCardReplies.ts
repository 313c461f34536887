import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A reply to a pending card counts when its writer taps a button below it, so the words are stored until then. */
export class AddCardReplies1795464000038 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table card_replies (
        nonce text constraint pk_card_replies primary key,
        approval_id uuid not null,
        card_id bigint not null,
        user_id bigint not null,
        words text not null,
        created_at timestamptz not null)`);
    await runner.query('create index ix_card_replies_approval on card_replies (approval_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table card_replies');
  }
}
