import { MigrationExecutor, type DataSource, type Migration } from 'typeorm';
import { createDataSource } from './data-source';
import { Database } from './database';
import { migrationsOf, readSchemaState } from './migration-state';
import { grantsFor, revocationsFor } from './service-rights';

/** Any constant will do; every replica must use the same one. */
const MIGRATION_LOCK = 7_214_035_522;

const roleOf = (url: string): string => decodeURIComponent(new URL(url).username);

/** SQLSTATE: the role may not. */
const INSUFFICIENT_PRIVILEGE = '42501';

async function underLock<T>(ownerUrl: string, work: (source: DataSource) => Promise<T>): Promise<T> {
  // Two connections: one holds the lock, the other migrates. Both may take long: a large table, a slow replica.
  const source = createDataSource(ownerUrl, 2, null);
  await source.initialize();
  const lock = source.createQueryRunner();
  try {
    await lock.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await work(source);
  } finally {
    // Ending the session gives the lock back, whatever state it is in.
    await lock.release();
    await source.destroy();
  }
}

const mayNot = (error: unknown): boolean => (error as { code?: unknown }).code === INSUFFICIENT_PRIVILEGE;

/** Best effort: where the owner of the schema may not take a right back, `countersign doctor` names it. */
async function takeBack(source: DataSource, service: string): Promise<void> {
  const [{ name }] = await source.query<[{ name: string }]>('select current_database() as name');
  for (const revocation of revocationsFor(service, name)) {
    await source.query(revocation).catch((error: unknown) => {
      if (!mayNot(error)) throw error;
    });
  }
}

/** @throws Error naming what is missing and who can make it, where the role is not the owner's. */
async function runPending(
  source: DataSource,
  role: string,
  begin: (names: readonly string[]) => void,
): Promise<Migration[]> {
  try {
    const { pending } = await readSchemaState(new Database(source), migrationsOf(source));
    if (pending.length > 0) begin(pending);
    return await source.runMigrations({ transaction: 'all' });
  } catch (error) {
    if (!mayNot(error)) throw error;
    const missing = await readSchemaState(new Database(source), migrationsOf(source)).then(
      ({ pending }) => `the schema lacks ${pending.join(', ')}, which the role ${role} may not make`,
      // Restored from a backup: rights are not in it.
      () => `the role ${role} has no rights to the schema`,
    );
    const fix =
      'run the migrations as the owner first: "npm run migrate", or the migration job of the deployment';
    throw new Error(`${missing}; ${fix}`, { cause: error });
  }
}

/**
 * Brings the schema up to date, one replica at a time, and lets the service's role use it. A schema that a newer version
 * has migrated further is left as it is.
 *
 * @param begin hears what is to be run, before it is: it may take long
 * @returns the names of the migrations that ran.
 */
export async function migrate(
  ownerUrl: string,
  serviceUrl = ownerUrl,
  begin: (names: readonly string[]) => void = () => undefined,
): Promise<string[]> {
  return underLock(ownerUrl, async (source) => {
    const service = roleOf(serviceUrl);
    const separate = service !== '' && service !== roleOf(ownerUrl);
    // First: the owner runs no statement of a migration while another role can put names before it.
    if (separate) await takeBack(source, service);
    const done = await runPending(source, roleOf(ownerUrl), begin);
    if (separate) {
      const tables = source.entityMetadatas.map(({ tablePath }) => tablePath);
      await source.query(grantsFor(service, tables));
    }
    return done.map((migration) => migration.name);
  });
}

/** Takes the newest migration back. @returns its name, or null when there was none. */
export async function revertMigration(ownerUrl: string): Promise<string | null> {
  return underLock(ownerUrl, async (source) => {
    const [newest] = (await new MigrationExecutor(source).getExecutedMigrations()).sort(
      (a, b) => b.timestamp - a.timestamp,
    );
    await source.undoLastMigration({ transaction: 'all' });
    return newest?.name ?? null;
  });
}
