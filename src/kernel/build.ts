import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Set where a bundle leaves its package behind, by `cli/bundle-agent.mjs`. */
declare const BUNDLED_VERSION: string | undefined;

/** The nearest folder above this file with a package.json, which is ours in a checkout, in a package and in an image. */
function packageFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** Versions of the running build. */
export const BUILD = {
  version: typeof BUNDLED_VERSION === 'undefined' ? ownVersion() : BUNDLED_VERSION,
  node: process.version,
};

/** True in a checkout. An installed package, an image and a bundle have only compiled programs. */
export const isCheckout = (): boolean =>
  typeof BUNDLED_VERSION === 'undefined' && existsSync(join(packageFolder(), 'tsconfig.json'));
