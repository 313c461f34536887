import { randomBytes } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { codeOf, DirectoryInUse } from './embedded-postgres-error';
import { isRunning, pidSpace, startTimeOf } from './processes';

/** Interval of the owner's heartbeat, for processes that cannot see its PID. */
const HEARTBEAT_MS = 1_000;
/** A lock of another container or machine has no owner after this long without a heartbeat. */
const HEARTBEAT_LOST_MS = 4_000;
const RECHECK_MS = 100;
/** No attempt to take the lock lasts this long, so older files are abandoned. */
const ABANDONED_MS = 60_000;

const PREFIX = 'service.lock.';
const ASIDE = `${PREFIX}new-`;
const holderSchema = z.object({
  pid: z.number().int(),
  startedAt: z.string().nullable(),
  pidSpace: z.string(),
  released: z.boolean(),
});
type Holder = z.infer<typeof holderSchema>;
const textOf = (holder: Holder): string => `${JSON.stringify(holder)}\n`;

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Writes a complete file under a name of its own, to be moved into place in one step. */
async function writeAside(directory: string, holder: Holder): Promise<string> {
  const path = join(directory, `${ASIDE}${randomBytes(6).toString('hex')}`);
  await writeFile(path, textOf(holder), { mode: 0o644, flag: 'wx' });
  return path;
}

async function generationsIn(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => /^service\.lock\.\d+$/.test(name))
    .map((name) => Number(name.slice(PREFIX.length)));
}

/** True if the owner of the lock is alive; `probe` is a file of ours in the same directory. */
async function isHeld(path: string, holder: Holder, probe: string): Promise<boolean> {
  if (holder.released) return false;
  if (holder.pidSpace === pidSpace()) return isRunning(holder.pid, holder.startedAt);
  // Its PID has no meaning here, so this watches its heartbeat; both times are the file system's, not ours.
  const { mtimeMs } = await stat(path);
  for (;;) {
    await writeFile(probe, await readFile(probe), { flag: 'r+' });
    if ((await stat(path)).mtimeMs !== mtimeMs) return true;
    if ((await stat(probe)).mtimeMs - mtimeMs > HEARTBEAT_LOST_MS) return false;
    await delay(RECHECK_MS);
  }
}

/** Removes files of starts that were killed before they had the lock. */
async function sweep(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(ASIDE)) continue;
    const path = join(directory, name);
    const age = await stat(path).then(
      (stats) => now - stats.mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_MS) await rm(path, { force: true });
  }
}

/** Takes the next generation; null if another process was faster. */
async function tryToTake(directory: string, mine: string): Promise<number | null> {
  const newest = Math.max(0, ...(await generationsIn(directory)));
  if (newest > 0) {
    const path = join(directory, `${PREFIX}${newest}`);
    const holder = holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    if (await isHeld(path, holder, mine)) {
      throw new DirectoryInUse(
        `${directory} is in use by another Countersign service (PID ${holder.pid}); stop it, or give this one a DATA_DIR of its own`,
      );
    }
  }
  const generation = newest + 1;
  await link(mine, join(directory, `${PREFIX}${generation}`));
  const generations = await generationsIn(directory);
  if (Math.max(...generations) !== generation) {
    // This process slept while others came and went, and took an outdated number.
    await rm(join(directory, `${PREFIX}${generation}`), { force: true });
    return null;
  }
  for (const older of generations) {
    if (older < generation) await rm(join(directory, `${PREFIX}${older}`), { force: true });
  }
  return generation;
}

async function take(directory: string, mine: string): Promise<number> {
  for (;;) {
    try {
      const generation = await tryToTake(directory, mine);
      if (generation !== null) return generation;
    } catch (error) {
      // EEXIST: another was faster; ENOENT: the file that was read is superseded. Retry in both cases.
      if (!['EEXIST', 'ENOENT'].includes(codeOf(error))) throw error;
    }
  }
}

/**
 * Makes this process the only service on the directory until `release`, or until it dies.
 *
 * Every holder takes the next number with `link`, which only one process can. The newest number is the lock, and it
 * counts as long as its process runs. No lock of a process that may be alive is ever removed, so racing starts are
 * safe.
 *
 * @throws DirectoryInUse naming the directory and the owner's PID when another service holds it.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const holder: Holder = {
    pid: process.pid,
    startedAt: startTimeOf(process.pid),
    pidSpace: pidSpace(),
    released: false,
  };
  const mine = await writeAside(directory, holder);
  const { mtimeMs: now } = await stat(mine);
  const generation = await take(directory, mine).finally(() => rm(mine, { force: true }));
  await sweep(directory, now);
  const path = join(directory, `${PREFIX}${generation}`);
  const file = await open(path, 'r+');
  let beat: Promise<unknown> = Promise.resolve();
  const heartbeat = setInterval(() => {
    // Best effort: if the disk refuses this write, the database reports the fault.
    beat = file.write(textOf(holder), 0).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    async release() {
      clearInterval(heartbeat);
      await beat;
      await file.close();
      try {
        await rename(await writeAside(directory, { ...holder, released: true }), path);
      } catch (error) {
        // The directory was removed; there is no lock to release.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    },
  };
}
