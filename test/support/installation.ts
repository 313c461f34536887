import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { startDebianPostgres, type DebianPostgres } from './debian-postgres';
import { DocumentShell } from './documents';
import { CHECKOUT, freePort, startSandboxProcess, temporaryDirectory } from './processes';
import { SandboxClient } from './sandbox-client';

/** A machine as the deployment guide leaves it, below one temporary directory, on ports of its own. */
export interface Installation {
  readonly postgres: DebianPostgres;
  readonly chat: SandboxClient;
  /** Where what stands in the documents is here. */
  readonly moved: Readonly<Record<string, string>>;
  readonly directory: string;
  shell(): DocumentShell;
  /** The address of one replica, by the port that it has in the documents. */
  replica(port: '3001' | '3002'): string;
}

function program(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** The files of `deploy/`, their paths and ports moved. */
function moveDeployment(to: string, here: (text: string) => string): void {
  for (const entry of readdirSync(join(CHECKOUT, 'deploy'), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const target = join(to, from.slice(CHECKOUT.length));
    mkdirSync(join(target, '..'), { recursive: true });
    writeFileSync(target, here(readFileSync(from, 'utf8')), { mode: statSync(from).mode });
  }
}

/** Everything that the guide takes for granted: PostgreSQL, a Telegram (the sandbox), the built version. */
export async function prepareInstallation(): Promise<Installation> {
  const directory = temporaryDirectory('countersign-host-');
  const postgres = await startDebianPostgres();
  const { url: sandboxUrl } = await startSandboxProcess();
  const chat = new SandboxClient(sandboxUrl, -1001234567890);
  await chat.liftLimits();
  const ports = {
    '3000': await freePort(),
    '3001': await freePort(),
    '3002': await freePort(),
  };
  const moved: Record<string, string> = {
    '127.0.0.1:5432': `127.0.0.1:${postgres.port}`,
    'http://127.0.0.1:8081': sandboxUrl,
    ...Object.fromEntries(
      ['/opt/countersign', '/etc/', '/usr/local/bin', '/var/lib/countersign-data', '/var/backups'].map(
        (path) => [path, join(directory, path) + (path.endsWith('/') ? '/' : '')],
      ),
    ),
    ...Object.fromEntries(Object.entries(ports).map(([port, here]) => [port, String(here)])),
  };
  const here = (text: string) =>
    Object.entries(moved).reduce((t, [from, to]) => t.replaceAll(from, to), text);

  const home = join(directory, 'opt/countersign');
  for (const path of ['etc/systemd/system', 'etc/haproxy', 'etc/default', 'usr/local/bin', 'bin', 'state']) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  mkdirSync(home, { recursive: true });
  for (const part of ['dist', 'node_modules', 'package.json', 'docs'])
    symlinkSync(join(CHECKOUT, part), join(home, part));
  moveDeployment(home, here);
  cpSync(join(__dirname, 'systemctl.mjs'), join(directory, 'bin/systemctl.mjs'));
  program(join(directory, 'bin/systemctl'), `#!/bin/sh\nexec node ${directory}/bin/systemctl.mjs "$@"\n`);
  const { password, port } = new URL(postgres.url);
  // Debian's own: PostgreSQL's user needs no password there.
  program(
    join(directory, 'bin/runuser'),
    `#!/bin/sh\nshift 3\nexport PGHOST=127.0.0.1 PGPORT=${port} PGUSER=postgres PGPASSWORD=${password}\nexec "$@"\n`,
  );
  writeFileSync(
    join(directory, 'etc/systemd/system/haproxy.service'),
    [
      `EnvironmentFile=${directory}/etc/default/haproxy`,
      `ExecStart=haproxy -db -f ${directory}/etc/haproxy/haproxy.cfg`,
      `WorkingDirectory=${directory}`,
    ].join('\n'),
  );
  const environment = {
    PATH: `${directory}/bin:${directory}/usr/local/bin:${process.env.PATH ?? ''}`,
    HOME: directory,
    UNITS: join(directory, 'etc/systemd/system'),
    STATE: join(directory, 'state'),
  };
  return {
    postgres,
    chat,
    moved,
    directory,
    shell: () => new DocumentShell(directory, environment, moved, join(directory, 'state')),
    replica: (name) => `http://127.0.0.1:${ports[name]}`,
  };
}
