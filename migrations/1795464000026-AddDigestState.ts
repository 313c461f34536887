import type { MigrationInterface, QueryRunner } from 'typeorm';

/** One row: the time that the digests cover so far. */
export class AddDigestState1795464000026 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table digest_state (
        id smallint not null default 1 constraint pk_digest_state primary key
          constraint ck_digest_state_single check (id = 1),
        covered_since timestamptz,
        covered_until timestamptz)`);
    await runner.query('insert into digest_state default values');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table digest_state');
  }
}
