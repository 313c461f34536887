import { MigrationExecutor } from 'typeorm';
import { createDataSource } from './data-source';

/** Any constant will do; every replica must use the same one. */
const MIGRATION_LOCK = 7_214_035_522;

const roleOf = (url: string): string => decodeURIComponent(new URL(url).username);

/** `"` doubled, as PostgreSQL quotes identifiers. */
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** What the service writes once and never again: only the owner could change it. */
const APPEND_ONLY = ['audit_log', 'audit_seals', 'audit_checkpoints'];

/** One string, so one transaction: the service's role is never allowed more than in the end. */
function grantsFor(service: string): string {
  const role = quoted(service);
  const append = APPEND_ONLY.join(', ');
  return [
    `grant usage on schema public to ${role}`,
    `grant select, insert, update, delete on all tables in schema public to ${role}`,
    `revoke update, delete, truncate on ${append} from ${role}`,
    `revoke update on receipts from ${role}`,
    `grant execute on function audit_prune(timestamptz) to ${role}`,
  ].join('; ');
}

async function underLock<T>(
  ownerUrl: string,
  work: (source: ReturnType<typeof createDataSource>) => Promise<T>,
): Promise<T> {
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

/**
 * Brings the schema up to date, one replica at a time, and lets the service's role use it.
 *
 * @returns the names of the migrations that ran.
 */
export async function migrate(ownerUrl: string, serviceUrl = ownerUrl): Promise<string[]> {
  return underLock(ownerUrl, async (source) => {
    const done = await source.runMigrations({ transaction: 'all' });
    const service = roleOf(serviceUrl);
    if (service !== '' && service !== roleOf(ownerUrl)) {
      await source.query(grantsFor(service));
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
