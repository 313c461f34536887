import type { MigrationInterface, QueryRunner } from 'typeorm';

export class RememberAskerAndHolder1795464000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table approvals add column owner text`);
    await runner.query(`alter table approvals add column holder integer`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table approvals drop column holder`);
    await runner.query(`alter table approvals drop column owner`);
  }
}
