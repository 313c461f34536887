import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { z } from 'zod';

export const OWNER_ONLY = 0o600;
/** Marks a file that is about to replace another one. */
const ASIDE = '.countersign-';

export const digestOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Null for no file. */
export const digestAt = (path: string): string | null =>
  existsSync(path) ? digestOf(readFileSync(path)) : null;

/** @throws Error for a file that has another form */
export function parsed<T>(schema: z.ZodType<T>, file: string): T {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new Error(`${file} is damaged: it says what connect wrote. Restore or remove it`, { cause });
  }
}

/**
 * Writes it whole or not at all: an agent may be reading it.
 *
 * @param like the file that it replaces, whose owner and mode stay; or the mode of a new one, which the umask lowers
 */
export function writeWhole(path: string, content: string | Buffer, like: number | Stats): void {
  const aside = `${path}${ASIDE}${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(aside, content, { mode: typeof like === 'number' ? like : OWNER_ONLY, flush: true });
    if (typeof like !== 'number') {
      // Root may edit the file of a user.
      if (process.getuid?.() === 0) chownSync(aside, like.uid, like.gid);
      chmodSync(aside, like.mode & 0o777);
    }
    renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Removes the drafts of {@link writeWhole} that a killed process left beside the file. */
export function removeDrafts(path: string): void {
  const target = existsSync(path) ? realpathSync(path) : path;
  const folder = dirname(target);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (name.startsWith(`${basename(target)}${ASIDE}`)) rmSync(join(folder, name), { force: true });
}

export function removeEmptyUpTo(topmost: string, folder: string): void {
  for (let each = folder; each.startsWith(topmost); each = dirname(each)) if (!removeIfEmpty(each)) return;
}

export function removeIfEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false; // not empty, or not there
  }
}
