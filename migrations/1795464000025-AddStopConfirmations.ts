import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A stop over the chat takes two taps; the second proves itself by what the first has stored. */
export class AddStopConfirmations1795464000025 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table stop_confirmations (
        nonce text constraint pk_stop_confirmations primary key,
        user_id bigint not null,
        chat_id bigint not null,
        created_at timestamptz not null)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table stop_confirmations');
    // The version before can compose only the notice about lost taps.
    await runner.query(`delete from outbox where kind = 'notice' and data::jsonb ? 'event'`);
  }
}
