import { spawnSync } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readDeployed } from './deployment';
import { freePort, Program, temporaryDirectory } from './processes';
import { until } from './until';

const PROGRAM = '/usr/sbin/pgbouncer';
/** PgBouncer does not run as root. */
const NOBODY = 65_534;

export const pgBouncerIsMissing = (): boolean => spawnSync(PROGRAM, ['--version']).error !== undefined;

export interface PgBouncer {
  /** The database by way of the pooler. */
  urlOf(databaseUrl: string): string;
  stop(): Promise<unknown>;
}

/**
 * Debian's PgBouncer with the configuration of `deploy/pgbouncer`; its addresses and files are the test's.
 *
 * @param databases their addresses: role and password are the same in all
 */
export async function startPgBouncer(
  databases: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<PgBouncer> {
  const directory = temporaryDirectory('countersign-pgbouncer-');
  const port = await freePort();
  const users = new Map(
    databases.map((url) => {
      const { username, password } = new URL(url);
      return [decodeURIComponent(username), decodeURIComponent(password)];
    }),
  );
  const userList = join(directory, 'userlist.txt');
  const lines = databases.map((url) => {
    const { pathname, hostname, port: serverPort } = new URL(url);
    return `${pathname.slice(1)} = host=${hostname} port=${serverPort}`;
  });
  const settings: Readonly<Record<string, string>> = {
    listen_port: String(port),
    auth_file: userList,
    unix_socket_dir: '',
    ...more,
  };
  const shipped = readDeployed('deploy/pgbouncer/pgbouncer.ini')
    .replace(/^countersign = .*$/m, lines.join('\n'))
    .split('\n')
    .filter((line) => !((line.split(' = ')[0] ?? '') in settings));
  const file = join(directory, 'pgbouncer.ini');
  writeFileSync(
    file,
    [...shipped, ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`), ''].join('\n'),
  );
  writeFileSync(userList, [...users].map(([name, password]) => `"${name}" "${password}"\n`).join(''));
  const asRoot = process.getuid?.() === 0;
  if (asRoot) for (const path of [directory, file, userList]) chownSync(path, NOBODY, NOBODY);
  const asNobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', PROGRAM, file];
  const running = asRoot ? new Program('setpriv', asNobody, {}) : new Program(PROGRAM, [file], {});
  await until('PgBouncer listens', () => {
    if (!running.alive) throw new Error(`PgBouncer ended\n${running.errors.join('\n')}`);
    return isListening(port);
  });
  return {
    urlOf: (databaseUrl) => {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return url.href;
    },
    stop: () => running.kill(),
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
