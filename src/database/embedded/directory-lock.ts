import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres-error';
import { isRunning, pidSpace, startTimeOf } from './processes';

/** The owner shows life this often, for those who cannot see its PID. */
const HEARTBEAT_MS = 1_000;
/** A lock of another container or machine that is older than this has no owner. */
const HEARTBEAT_LOST_MS = 4_000;
const RECHECK_MS = 100;

const PREFIX = 'service.lock.';
const holderSchema = z.object({
  pid: z.number().int(),
  startedAt: z.string().nullable(),
  pidSpace: z.string(),
  released: z.boolean(),
});
type Holder = z.infer<typeof holderSchema>;

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Writes a complete file under a name of its own; `publish` puts it in its place in one step. */
async function writeAside(directory: string, holder: Holder): Promise<string> {
  const path = join(directory, `${PREFIX}new-${randomBytes(6).toString('hex')}`);
  await writeFile(path, `${JSON.stringify(holder)}\n`, { mode: 0o644, flag: 'wx' });
  return path;
}

async function generationsIn(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => /^service\.lock\.\d+$/.test(name))
    .map((name) => Number(name.slice(PREFIX.length)));
}

/** Whether the owner of the lock lives. A lock that vanishes while we look was superseded: look again. */
async function isHeld(path: string, holder: Holder, probe: string): Promise<boolean> {
  if (holder.released) return false;
  if (holder.pidSpace === pidSpace()) return isRunning(holder.pid, holder.startedAt);
  // Its PID means nothing here. Both times are the file system's, so no clock of ours is asked.
  const seen = (await stat(path)).mtimeMs;
  for (;;) {
    await utimes(probe, 'now', 'now');
    if ((await stat(path)).mtimeMs !== seen) return true;
    if ((await stat(probe)).mtimeMs - seen > HEARTBEAT_LOST_MS) return false;
    await delay(RECHECK_MS);
  }
}
