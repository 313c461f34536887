import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, temporaryDirectory } from './processes';

const VERSIONS = '/usr/lib/postgresql';
const SUPERUSER_PASSWORD = 'superuser-of-the-test';

/** A PostgreSQL server as Debian packages it, with the client programs of the same version; not the embedded one. */
export interface DebianPostgres {
  /** Its superuser's, in the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** The same server, another role and database. */
  urlOf(role: string, password: string, database: string): string;
  /** The command that starts it again, word by word. */
  readonly startCommand: readonly string[];
  stop(): Promise<void>;
}

/** The directory of the newest version's programs. @throws Error that says what to install when there are none. */
export function debianBinaries(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : [];
  const newest = versions
    .filter((version) => existsSync(join(VERSIONS, version, 'bin/initdb')))
    .toSorted((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('no PostgreSQL here: apt-get install postgresql');
  return join(VERSIONS, newest, 'bin');
}

/** PostgreSQL does not run as root; Debian's package has made a user for it. */
function credentials(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** A new cluster on a free port of loopback, with passwords, in a temporary directory. */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const binaries = debianBinaries();
  const directory = join(temporaryDirectory('countersign-debian-'), 'postgres');
  mkdirSync(directory);
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, SUPERUSER_PASSWORD);
  const user = credentials();
  if (user) for (const path of [directory, passwordFile]) chownSync(path, user.uid, user.gid);
  const run = async (program: string, args: readonly string[]): Promise<void> => {
    await promisify(execFile)(join(binaries, program), args, { cwd: directory, ...user });
  };
  const cluster = join(directory, 'cluster');
  const port = await freePort();
  await run('initdb', [
    '-D',
    cluster,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
  ]);
  appendFileSync(
    join(cluster, 'postgresql.conf'),
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '${directory}'\n`,
  );
  const start = ['-D', cluster, '-w', '-l', join(directory, 'log'), 'start'];
  await run('pg_ctl', start);
  const asItsUser = user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  const urlOf = (role: string, password: string, database: string): string =>
    `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
  return {
    url: urlOf('postgres', SUPERUSER_PASSWORD, 'postgres'),
    port,
    urlOf,
    startCommand: [...asItsUser, join(binaries, 'pg_ctl'), ...start],
    stop: () => run('pg_ctl', ['-D', cluster, '-w', '-m', 'fast', 'stop']),
  };
}
