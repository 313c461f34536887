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
import { BUILD } from '../../src/kernel/build';
import { startDebianPostgres, type DebianPostgres } from './debian-postgres';
import { DocumentShell, followSteps, stepsOf } from './documents';
import { CHECKOUT, freePort, startSandboxProcess, temporaryDirectory } from './processes';
import { SandboxClient } from './sandbox-client';

/** A machine as the deployment guide leaves it, below one temporary directory, on ports of its own. */
export interface Installation {
  readonly postgres: DebianPostgres;
  readonly chat: SandboxClient;
  /** Paths of the documents, with their places on this machine. */
  readonly moved: Readonly<Record<string, string>>;
  readonly directory: string;
  shell(): DocumentShell;
  /** The address of one replica, by the port that it has in the documents. */
  replica(port: ReplicaPort): string;
  /** The process of a replica, as systemd started it last. */
  pidOf(port: ReplicaPort): number;
  /** The content of a file, by its path in the documents. */
  read(path: string): string;
  /** Ends what systemctl has started; the rest is ended with the test's own programs. */
  stop(): Promise<void>;
}

/** As the replicas have them in the documents. */
export const REPLICA_PORTS = ['3001', '3002'] as const;

type ReplicaPort = (typeof REPLICA_PORTS)[number];

const GUIDE = 'docs/deployment-guide.md';

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

  // As in the guide: a global installation of npm for the version, and a link to the package that runs.
  const home = join(directory, `opt/countersign-${BUILD.version}/lib/node_modules/countersign`);
  for (const path of ['etc/systemd/system', 'etc/haproxy', 'etc/default', 'usr/local/bin', 'bin', 'state']) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  mkdirSync(home, { recursive: true });
  symlinkSync(home, join(directory, 'opt/countersign'));
  for (const part of ['dist', 'node_modules', 'package.json', 'docs'])
    symlinkSync(join(CHECKOUT, part), join(home, part));
  moveDeployment(home, here);
  cpSync(join(__dirname, 'systemctl.mjs'), join(directory, 'bin/systemctl.mjs'));
  program(join(directory, 'bin/systemctl'), `#!/bin/sh\nexec node "${directory}/bin/systemctl.mjs" "$@"\n`);
  const { password, port } = new URL(postgres.url);
  // Debian's own: PostgreSQL's user needs no password there.
  program(
    join(directory, 'bin/runuser'),
    `#!/bin/sh\nshift 3\nexport PGHOST=127.0.0.1 PGPORT=${port} PGUSER=postgres PGPASSWORD=${password}\nexec "$@"\n`,
  );
  program(join(directory, 'bin/journalctl'), `#!/bin/sh\nexec cat ${directory}/state/countersign@*/log\n`);
  const units = {
    haproxy: [
      `EnvironmentFile=${directory}/etc/default/haproxy`,
      `ExecStart=haproxy -db -f ${directory}/etc/haproxy/haproxy.cfg`,
      `WorkingDirectory=${directory}`,
    ],
    postgresql: ['Type=oneshot', `ExecStart=${postgres.startCommand.join(' ')}`, 'WorkingDirectory=/'],
  };
  for (const [name, lines] of Object.entries(units)) {
    writeFileSync(join(directory, `etc/systemd/system/${name}.service`), lines.join('\n'));
  }
  const environment = {
    PATH: `${directory}/bin:${directory}/usr/local/bin:${process.env.PATH ?? ''}`,
    HOME: directory,
    UNITS: join(directory, 'etc/systemd/system'),
    STATE: join(directory, 'state'),
  };
  const shell = () => new DocumentShell(directory, environment, moved, join(directory, 'state'));
  return {
    postgres,
    chat,
    moved,
    directory,
    shell,
    replica: (name) => `http://127.0.0.1:${ports[name]}`,
    pidOf: (name) => Number(readFileSync(join(directory, `state/countersign@${ports[name]}/pid`), 'utf8')),
    read: (path) => readFileSync(here(path), 'utf8').trim(),
    stop: async () => {
      const command = 'systemctl stop haproxy countersign@3001 countersign@3002';
      await shell().run({ command, background: false });
    },
  };
}

/** Two replicas at work: the guide's sections about secrets and systemd, followed. @throws Error with what differs. */
export async function install(): Promise<Installation> {
  const machine = await prepareInstallation();
  const steps = stepsOf(GUIDE).filter(({ section }) => /^[23]\. /.test(section));
  const differences = await followSteps(GUIDE, steps, machine.shell());
  if (differences.length === 0) return machine;
  await machine.stop();
  throw new Error(differences.join('\n\n'));
}
