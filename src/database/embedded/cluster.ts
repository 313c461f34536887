import { randomBytes } from 'node:crypto';
import { chown, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Binaries } from './binaries';
import { EmbeddedPostgresError } from './embedded-postgres-error';
import type { Home } from './home';
import { runProgram } from './run-program';
import { HOST_BASED_AUTHENTICATION, SYNC_METHOD } from './settings';

/** The role of the service; it has the rights that the migrations grant. */
const SERVICE_ROLE = 'countersign';
/** The role that owns the database, and so its schema. */
const OWNER_ROLE = 'countersign_owner';
const DATABASE = 'countersign';
const PASSWORD_BYTES = 24;
const CREDENTIALS = 'countersign-credentials.json';
const UNFINISHED = 'cluster.new-';

const credentialsSchema = z.object({ ownerPassword: z.string(), servicePassword: z.string() });
export type Credentials = z.infer<typeof credentialsSchema>;

/** Reads the roles' passwords; they are stored in the cluster, so that both always belong together. */
export async function readCredentials(cluster: string): Promise<Credentials> {
  return credentialsSchema.parse(JSON.parse(await readFile(join(cluster, CREDENTIALS), 'utf8')));
}

export function urlsOf(credentials: Credentials, port: number): { url: string; ownerUrl: string } {
  const at = (role: string, password: string): string =>
    `postgres://${role}:${password}@127.0.0.1:${port}/${DATABASE}`;
  return {
    url: at(SERVICE_ROLE, credentials.servicePassword),
    ownerUrl: at(OWNER_ROLE, credentials.ownerPassword),
  };
}

async function fill(directory: string, home: Home, binaries: Binaries): Promise<void> {
  const run = async (what: string, file: string, args: string[], input?: string): Promise<void> => {
    const outcome = await runProgram(file, args, home.runAs, input);
    if (outcome.ok) return;
    throw new EmbeddedPostgresError(
      `the embedded database could not be made in ${home.directory} (${what}); set DATABASE_URL to use another: ${outcome.output.trim()}`,
    );
  };
  const write = async (name: string, text: string): Promise<void> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (home.runAs) await chown(path, home.runAs.uid, home.runAs.gid);
  };
  const credentials: Credentials = {
    ownerPassword: randomBytes(PASSWORD_BYTES).toString('base64url'),
    servicePassword: randomBytes(PASSWORD_BYTES).toString('base64url'),
  };
  // PostgreSQL's own collation, so that sorting does not depend on the machine's locales.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  // Files are not synced one by one: the cluster counts only after the rename, and everything is on disk by then.
  const initdb = [
    '-D',
    directory,
    '-U',
    'postgres',
    '--auth=reject',
    ...locale,
    '--no-sync',
    '--no-instructions',
  ];
  await run('initdb', binaries.initdb, initdb);
  await write('pg_hba.conf', HOST_BASED_AUTHENTICATION);
  await write(CREDENTIALS, `${JSON.stringify(credentials)}\n`);
  // A single-user server without network: no role ever exists without its password. One statement a line.
  const roles = [
    `create role ${OWNER_ROLE} login createdb password '${credentials.ownerPassword}';`,
    `create role ${SERVICE_ROLE} login password '${credentials.servicePassword}';`,
    `create database ${DATABASE} owner ${OWNER_ROLE};`,
  ];
  const quiet = ['-c', 'exit_on_error=on', '-c', 'log_min_error_statement=panic', '-c', 'fsync=off'];
  const single = ['--single', '-D', directory, ...quiet, 'postgres'];
  await run('roles', binaries.postgres, single, `${roles.join('\n')}\n`);
  await run('sync', binaries.initdb, ['--sync-only', `--sync-method=${SYNC_METHOD}`, '-D', directory]);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync().finally(() => directory.close());
}

/** Best effort: a process left by a killed start may still write there, under a name that is not ours. */
async function removeUnfinished(home: Home): Promise<void> {
  for (const name of await readdir(home.directory)) {
    if (name.startsWith(UNFINISHED))
      await rm(join(home.directory, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Makes the cluster, with its roles and database, under another name and moves it into place when it is complete.
 * Removes the remains of interrupted attempts.
 *
 * @throws EmbeddedPostgresError with the output of PostgreSQL's programs.
 */
export async function createCluster(home: Home, binaries: Binaries): Promise<void> {
  await removeUnfinished(home);
  const unfinished = join(home.directory, `${UNFINISHED}${randomBytes(4).toString('hex')}`);
  try {
    await fill(unfinished, home, binaries);
    await rename(unfinished, home.cluster);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  // Again: a process that still wrote meanwhile has ended by now, and nothing else would remove its files.
  await removeUnfinished(home);
  await syncDirectory(home.directory);
}
