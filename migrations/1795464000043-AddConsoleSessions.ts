import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A session of the console stands for the API key with which a person signed in; a link opens one, once. */
export class AddConsoleSessions1795464000043 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table console_sessions (
        digest bytea constraint pk_console_sessions primary key,
        key_digest bytea not null,
        page_digest bytea not null,
        created_at timestamptz not null,
        used_at timestamptz not null)`);
    await runner.query(`
      create table console_links (
        digest bytea constraint pk_console_links primary key,
        key_digest bytea not null,
        expires_at timestamptz not null)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table console_links');
    await runner.query('drop table console_sessions');
  }
}
