import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The person who is on duty instead of a rota's turn, until a time: one row for each rota. */
export class AddRotaOverrides1795464000062 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table rota_overrides (
        rota text not null,
        person text not null,
        until timestamptz not null,
        actor text not null,
        at timestamptz not null,
        constraint pk_rota_overrides primary key (rota))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table rota_overrides');
  }
}
