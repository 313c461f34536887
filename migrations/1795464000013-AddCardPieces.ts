import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddCardPieces1795464000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row is one text message of an action that is sent in several, where the chat takes no files.
    await runner.query(`
      create table card_pieces (
        approval_id uuid not null,
        chat_id bigint not null,
        number integer not null,
        sha256 text not null,
        sending_at timestamptz,
        lost integer not null default 0,
        message_id bigint,
        constraint pk_card_pieces primary key (approval_id, chat_id, number)
      )`);
    await runner.query(`alter table cards add column pieces integer`);
    await runner.query(`alter table cards add column pieces_sha256 text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table cards drop column pieces_sha256`);
    await runner.query(`alter table cards drop column pieces`);
    await runner.query(`drop table card_pieces`);
  }
}
