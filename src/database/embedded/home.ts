import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  constants,
  mkdir,
  readFile,
  realpath,
  rename,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres-error';
import type { RunAs } from './run-program';
import { canReach, userFor } from './unprivileged-user';

/** Directory for databases of root whose PostgreSQL user could not reach `DATA_DIR`. */
const SHARED_HOME = '/var/lib/countersign';
const POINTER = 'postgres.json';
const pointerSchema = z.object({ home: z.string(), created: z.boolean() });

/** Location of the database, and the user that runs it. */
export interface Home {
  readonly directory: string;
  /** PostgreSQL's data directory; exists once it is complete. */
  readonly cluster: string;
  readonly serverLog: string;
  readonly runAs: RunAs;
  /** True if it is not in `DATA_DIR`. */
  readonly relocated: boolean;
}

const homeAt = (directory: string, relocated: boolean): Home => {
  const cluster = join(directory, 'cluster');
  return { directory, cluster, serverLog: join(directory, 'server.log'), runAs: userFor(cluster), relocated };
};

async function readPointer(dataDir: string): Promise<z.infer<typeof pointerSchema> | null> {
  try {
    return pointerSchema.parse(JSON.parse(await readFile(join(dataDir, POINTER), 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new EmbeddedPostgresError(
      `${join(dataDir, POINTER)} cannot be read; it says where the database is`,
      { cause: error },
    );
  }
}

async function writePointer(dataDir: string, home: string, created: boolean): Promise<void> {
  const path = join(dataDir, POINTER);
  await writeFile(`${path}.new`, `${JSON.stringify({ home, created })}\n`, { mode: 0o644, flush: true });
  await rename(`${path}.new`, path);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

/**
 * Returns the absolute, existing form of `DATA_DIR`. Root makes it passable, or PostgreSQL's user could not enter it.
 */
export async function openDataDir(dataDir: string): Promise<string> {
  try {
    const made = await mkdir(dataDir, { recursive: true });
    if (made !== undefined) await chmod(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700);
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(dataDir);
  } catch (error) {
    throw new EmbeddedPostgresError(`DATA_DIR ${dataDir} cannot be used`, { cause: error });
  }
}

/** Finds the database of a `DATA_DIR`, if it was ever made. */
export async function findHome(dataDir: string): Promise<Home | null> {
  const pointer = await readPointer(dataDir);
  const home = homeAt(pointer?.home ?? join(dataDir, 'postgres'), pointer !== null);
  if (await exists(home.cluster)) return home;
  if (pointer?.created !== true) return null;
  throw new EmbeddedPostgresError(
    `the database of ${dataDir} was in ${home.directory} and is no longer there; bring it back, or delete ${join(dataDir, POINTER)} to begin with an empty one`,
  );
}

/**
 * Returns the location of the database, and creates it if needed. Writes the pointer first, so that a crash leaves no
 * directory that nothing refers to.
 */
export async function makeHome(dataDir: string): Promise<Home> {
  const pointer = await readPointer(dataDir);
  const inside = homeAt(join(dataDir, 'postgres'), false);
  const mustMove = inside.runAs !== null && !canReach(dataDir, inside.runAs);
  const home =
    pointer === null && !mustMove
      ? inside
      : homeAt(pointer?.home ?? join(SHARED_HOME, randomBytes(8).toString('hex')), true);
  if (home.relocated) {
    if (pointer === null) await writePointer(dataDir, home.directory, false);
    await mkdir(SHARED_HOME, { recursive: true });
    await chmod(SHARED_HOME, 0o711);
  }
  await mkdir(home.directory, { recursive: true, mode: 0o700 });
  if (home.runAs) await chown(home.directory, home.runAs.uid, home.runAs.gid);
  return home;
}

/** Records that the database exists, so that its loss is reported instead of replaced by an empty one. */
export async function confirmHome(dataDir: string, home: Home): Promise<void> {
  if (home.relocated) await writePointer(dataDir, home.directory, true);
}
