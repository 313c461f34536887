import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a system error says about a file that was named on the command line; null when it says nothing of the kind. */
export function fileTrouble(error: unknown): string | null {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (path === undefined) return null;
  if (code === 'EEXIST') return `${path} exists already; choose another name`;
  if (code !== 'ENOENT') return null;
  const directory = dirname(path);
  return `${existsSync(directory) ? path : directory} does not exist`;
}
