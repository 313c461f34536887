import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddReplicas1795464000016 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table replicas (
        id text constraint pk_replicas primary key,
        version text not null,
        started_at timestamptz not null,
        seen_at timestamptz not null
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table replicas`);
  }
}
