import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Taps that counted as a decision, or took one back, while the request went on waiting: each has its effect once. */
export class AddCountedTaps1795464000068 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table counted_taps (
        query_id text constraint pk_counted_taps primary key,
        counted_at timestamptz not null)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table counted_taps');
  }
}
