import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** The message for a system error about a file from the command line; null for any other error. */
export function fileTrouble(error: unknown): string | null {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (path === undefined) return null;
  if (code === 'EEXIST') return `${path} exists already; choose another name`;
  if (code !== 'ENOENT') return null;
  const directory = dirname(path);
  return `${existsSync(directory) ? path : directory} does not exist`;
}
