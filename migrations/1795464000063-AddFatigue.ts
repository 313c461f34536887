import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The times of the last look at decisions and of the last weekly message, and the warnings that leads have got. */
export class AddFatigue1795464000063 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table fatigue_state (
        id smallint not null default 1 constraint pk_fatigue_state primary key
          constraint ck_fatigue_state_single check (id = 1),
        looked_at timestamptz,
        week_until timestamptz)`);
    // The first message about a week comes at the end of the first one.
    await runner.query(
      `insert into fatigue_state (week_until) values (date_bin('7 days', now(), timestamptz '2026-01-05 09:00+00'))`,
    );
    await runner.query(`
      create table fatigue_warnings (
        person text not null,
        cause text not null constraint ck_fatigue_warnings_cause check (cause in ('many', 'fast')),
        warned_at timestamptz not null,
        constraint pk_fatigue_warnings primary key (person, cause))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table fatigue_warnings');
    await runner.query('drop table fatigue_state');
  }
}
