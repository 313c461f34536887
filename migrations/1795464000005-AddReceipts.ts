import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddReceipts1795464000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row is the public half of a key that some replica signs or signed with.
    await runner.query(`
      create table signing_keys (
        kid text constraint pk_signing_keys primary key,
        public_key text not null,
        published_at timestamptz not null,
        retired_at timestamptz
      )`);
    await runner.query(`
      create table receipts (
        approval_id uuid constraint pk_receipts primary key,
        jws text not null
      )`);
    // What a card without its document shows is not what the complete one will show.
    await runner.query(`alter table cards add column incomplete_digest text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table cards drop column incomplete_digest`);
    await runner.query(`drop table receipts`);
    await runner.query(`drop table signing_keys`);
  }
}
