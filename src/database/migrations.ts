import { MigrationExecutor, type DataSource, type Migration, type QueryRunner } from 'typeorm';
import { createDataSource, PATIENT } from './data-source';
import { Database } from './database';
import { migrationsOf, readSchemaState } from './migration-state';
import { grantsFor, revocationsFor } from './service-rights';

/** An arbitrary constant; every replica must use the same one. */
const MIGRATION_LOCK = 7_214_035_522;

const roleOf = (url: string): string => decodeURIComponent(new URL(url).username);

/** SQLSTATE: the role lacks the right. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** Callbacks before steps that may take long. */
export interface MigrationProgress {
  /** Another process holds the migration lock. `holder` names its session; null where PostgreSQL does not show it. */
  readonly waits?: (holder: string | null) => void;
  readonly begins?: (names: readonly string[]) => void;
}

interface Holder {
  readonly pid: number;
  readonly application_name: string | null;
  readonly client_addr: string | null;
}

const HOLDER = `
  select l.pid, a.application_name, host(a.client_addr) as client_addr
  from pg_locks l left join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = $1
    and l.database = (select oid from pg_database where datname = current_database())`;

async function holderOf(lock: QueryRunner): Promise<string | null> {
  const [holder] = (await lock.query(HOLDER, [MIGRATION_LOCK])) as Holder[];
  if (!holder) return null;
  const { pid, application_name: name, client_addr: address } = holder;
  return `process ${pid}${name ? ` (${name})` : ''}${address ? ` from ${address}` : ''}`;
}

async function takeLock(lock: QueryRunner, { waits }: MigrationProgress): Promise<void> {
  // A lock of the transaction: behind a pooler, a lock of the session would outlive this process.
  await lock.query('begin');
  const [tried] = (await lock.query('select pg_try_advisory_xact_lock($1) as taken', [MIGRATION_LOCK])) as {
    taken: boolean;
  }[];
  if (tried?.taken) return;
  waits?.(await holderOf(lock));
  await lock.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
}

async function underLock<T>(
  ownerUrl: string,
  progress: MigrationProgress,
  work: (source: DataSource) => Promise<T>,
): Promise<T> {
  // Two connections: one holds the lock, the other migrates.
  const source = createDataSource(ownerUrl, 2, PATIENT);
  await source.initialize();
  const lock = source.createQueryRunner();
  try {
    await takeLock(lock, progress);
    return await work(source);
  } finally {
    // Best effort: ending the session releases the lock as well.
    await lock.query('commit').catch(() => undefined);
    await lock.release();
    await source.destroy();
  }
}

const mayNot = (error: unknown): boolean => (error as { code?: unknown }).code === INSUFFICIENT_PRIVILEGE;

/** Best effort: `countersign doctor` names rights that the owner of the schema may not revoke. */
async function takeBack(source: DataSource, service: string): Promise<void> {
  const [{ name }] = await source.query<[{ name: string }]>('select current_database() as name');
  for (const revocation of revocationsFor(service, name)) {
    await source.query(revocation).catch((error: unknown) => {
      if (!mayNot(error)) throw error;
    });
  }
}

/** @throws Error that names the missing migrations and who can run them, if the role is not the owner. */
async function runPending(
  source: DataSource,
  role: string,
  { begins }: MigrationProgress,
): Promise<Migration[]> {
  try {
    const { pending } = await readSchemaState(new Database(source), migrationsOf(source));
    if (pending.length > 0) begins?.(pending);
    return await source.runMigrations({ transaction: 'all' });
  } catch (error) {
    if (!mayNot(error)) throw error;
    const missing = await readSchemaState(new Database(source), migrationsOf(source)).then(
      ({ pending }) => `the schema lacks ${pending.join(', ')}, which the role ${role} may not make`,
      // Restored from a backup, which contains no rights.
      () => `the role ${role} has no rights to the schema`,
    );
    const fix =
      'run the migrations as the owner first: "npm run migrate" in a checkout, else "countersign migrate", or the migration job of the deployment';
    throw new Error(`${missing}; ${fix}`, { cause: error });
  }
}

/**
 * Migrates the schema, one replica at a time, and grants the service's role its rights. Leaves a schema alone that a
 * newer version has migrated further.
 *
 * @returns the names of the migrations that ran.
 */
export async function migrate(
  ownerUrl: string,
  serviceUrl = ownerUrl,
  progress: MigrationProgress = {},
): Promise<string[]> {
  return underLock(ownerUrl, progress, async (source) => {
    const service = roleOf(serviceUrl);
    const separate = service !== '' && service !== roleOf(ownerUrl);
    // Revoke first: otherwise another role could place objects before the owner's while a migration runs.
    if (separate) await takeBack(source, service);
    const done = await runPending(source, roleOf(ownerUrl), progress);
    if (separate) await source.query(grantsFor(service));
    return done.map((migration) => migration.name);
  });
}

/** Reverts the newest migration. @returns its name, or null when there was none. */
export async function revertMigration(ownerUrl: string): Promise<string | null> {
  return underLock(ownerUrl, {}, async (source) => {
    const [newest] = (await new MigrationExecutor(source).getExecutedMigrations()).sort(
      (a, b) => b.timestamp - a.timestamp,
    );
    await source.undoLastMigration({ transaction: 'all' });
    return newest?.name ?? null;
  });
}
