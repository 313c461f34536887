import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Set where a bundle leaves its package behind, by `cli/bundle-agent.mjs`. */
declare const BUNDLED_VERSION: string | undefined;

/** Reads the nearest package.json above this file, which is ours in a checkout, in `dist` and in an image. */
function ownVersion(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** Versions of the running build. */
export const BUILD = {
  version: typeof BUNDLED_VERSION === 'undefined' ? ownVersion() : BUNDLED_VERSION,
  node: process.version,
};
