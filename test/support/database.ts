import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { MigrationExecutor } from 'typeorm';
import { createDataSource } from '../../src/database/data-source';
import { migrate } from '../../src/database/migrations';

export interface TestDatabase {
  readonly url: string;
  /** For a role that owns nothing, and may do what the migrations let it. */
  readonly serviceUrl: string;
  /** Runs one statement, as a bystander would. */
  query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

function addressOf(name: 'TEST_POSTGRES_URL' | 'TEST_POSTGRES_SERVICE_URL'): string {
  const url = process.env[name];
  if (url === undefined) throw new Error('the global set-up has not started PostgreSQL');
  return url;
}

function inDatabase(serverUrl: string, database: string): string {
  const address = new URL(serverUrl);
  address.pathname = `/${database}`;
  return address.href;
}

async function onServer(sql: string): Promise<void> {
  const client = new Client({ connectionString: addressOf('TEST_POSTGRES_URL') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** SQLSTATE: a worker of the server's autovacuum is in the database, which an owner may not end. */
const INSUFFICIENT_PRIVILEGE = '42501';

async function drop(name: string): Promise<void> {
  try {
    await onServer(`drop database ${name} with (force)`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    // Without force, the server ends its worker itself.
    await onServer(`drop database ${name}`);
  }
}

/** The template of every test's database: running all migrations takes a second. */
const TEMPLATE = 'migrated_template';

export async function makeTemplate(): Promise<void> {
  await onServer(`create database ${TEMPLATE}`);
  await migrate(inDatabase(addressOf('TEST_POSTGRES_URL'), TEMPLATE));
}

/** A database of the test's own on the run's PostgreSQL, migrated unless told otherwise. */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name} template ${migrated ? TEMPLATE : 'template1'}`);
  // Nothing here outlives a crash of the server, which tests of the embedded one have of their own.
  await onServer(`alter database ${name} set synchronous_commit = off`);
  const url = inDatabase(addressOf('TEST_POSTGRES_URL'), name);
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return {
    url,
    serviceUrl: inDatabase(addressOf('TEST_POSTGRES_SERVICE_URL'), name),
    query: async <Row>(sql: string, values: readonly unknown[] = []) =>
      (await client.query(sql, [...values])).rows as Row[],
    drop: async () => {
      await client.end();
      await drop(name);
    },
  };
}

/** A database with the schema of the version before this migration. */
export async function createDatabaseBefore(migration: string): Promise<TestDatabase> {
  const database = await createTestDatabase({ migrated: false });
  const source = createDataSource(database.url, 1);
  await source.initialize();
  try {
    const executor = new MigrationExecutor(source);
    for (const pending of await executor.getPendingMigrations()) {
      if (pending.name === migration) break;
      await executor.executeMigration(pending);
    }
  } finally {
    await source.destroy();
  }
  return database;
}
