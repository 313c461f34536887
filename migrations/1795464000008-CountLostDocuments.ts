import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CountLostDocuments1795464000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table cards add column documents_lost integer not null default 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table cards drop column documents_lost`);
  }
}
