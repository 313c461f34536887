import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the records of requests that have ended, which a job keeps: their numbers by the hour, and the words by which they are
 * found. `record_state` has the id up to which requests were read; `record_waiting` those of them that were still pending.
 */
export class AddRecords1795464000065 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table record_state (
        id smallint not null default 1 constraint pk_record_state primary key
          constraint ck_record_state_single check (id = 1),
        after_id uuid not null default '00000000-0000-0000-0000-000000000000')`);
    await runner.query('insert into record_state default values');
    await runner.query('create table record_waiting (id uuid constraint pk_record_waiting primary key)');
    await runner.query(`
      create table insight_hours (
        dimension text not null,
        hour timestamptz not null,
        name text not null,
        status text not null,
        answered text not null,
        bucket smallint not null,
        count integer not null,
        constraint pk_insight_hours primary key (dimension, hour, name, status, answered, bucket))`);
    await runner.query(`
      create table approval_words (
        id uuid constraint pk_approval_words primary key,
        words tsvector not null)`);
    await runner.query('create index ix_approval_words on approval_words using gin (words)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table approval_words');
    await runner.query('drop table insight_hours');
    await runner.query('drop table record_waiting');
    await runner.query('drop table record_state');
  }
}
