import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import { isCheckout } from '../kernel/build';

/**
 * Folder for the data of this user's programs, by the custom of the platform. On Linux that is the XDG Base Directory
 * Specification, which ignores a relative path.
 */
export function platformDataDirectory(platform: string, env: NodeJS.ProcessEnv, home: string): string {
  if (platform === 'win32')
    return win32.join(env.LOCALAPPDATA || win32.join(home, 'AppData', 'Local'), 'countersign', 'Data');
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', 'countersign');
  const configured = env.XDG_DATA_HOME ?? '';
  const base = posix.isAbsolute(configured) ? configured : posix.join(home, '.local', 'share');
  return posix.join(base, 'countersign');
}

/** `DATA_DIR` when it is unset. An installed package never writes to the current directory. */
export const defaultDataDirectory = (): string =>
  isCheckout() ? '.data' : platformDataDirectory(process.platform, process.env, homedir());
