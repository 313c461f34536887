import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The OpenID provider that the installation has, and the one at which the person of each session has signed in. */
export class AddOidcProvider1795464000071 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table oidc_provider (
        id smallint default 1 constraint pk_oidc_provider primary key,
        issuer text,
        constraint ck_oidc_provider_single check (id = 1))`);
    await runner.query('insert into oidc_provider default values');
    await runner.query('alter table console_sessions add column oidc_issuer text');
    // Nobody knows at which provider these people have signed in.
    await runner.query('delete from console_sessions where oidc_person is not null');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table console_sessions drop column oidc_issuer');
    await runner.query('drop table oidc_provider');
  }
}
