import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { AGENT_KEY, OPERATOR_KEY } from './well-known';
import { until } from './until';

export const CHECKOUT = resolve(__dirname, '../..');
const SERVICE = join(CHECKOUT, 'dist/src/main.js');
const SANDBOX = join(CHECKOUT, 'dist/src/sandbox/main.js');
/** A start takes about two seconds, and several times that on a machine that is busy with other tests. */
const READY_WITHIN_MS = 80_000;

export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Program>();
const directories = new Set<string>();

// A test run that is cut short must not leave servers behind.
process.once('exit', () => {
  for (const program of running) program.killGroup();
});

/** A program as somebody at a shell starts it, in a process group of its own and without our environment. */
export class Program {
  readonly output: string[] = [];
  readonly errors: string[] = [];
  readonly ended: Promise<Ending>;
  private readonly child: ChildProcess;

  constructor(file: string, args: readonly string[], env: Readonly<Record<string, string>>, cwd = CHECKOUT) {
    this.child = spawn(file, args, {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    });
    running.add(this);
    this.collect(this.child.stdout, this.output);
    this.collect(this.child.stderr, this.errors);
    this.ended = new Promise((done) => {
      this.child.once('close', (code, signal) => {
        running.delete(this);
        done({ code, signal });
      });
    });
  }

  private collect(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (stream) createInterface({ input: stream }).on('line', (line) => void lines.push(line));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** As Ctrl-C at a terminal does: the signal goes to everybody in the group. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  killGroup(): void {
    try {
      this.signalGroup('SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  async stop(): Promise<Ending> {
    this.signal('SIGTERM');
    return this.ended;
  }

  async kill(): Promise<Ending> {
    this.signal('SIGKILL');
    return this.ended;
  }

  /** As `head` does when it has seen enough: what is written from now on has no reader. */
  stopReading(): void {
    this.child.stdout?.destroy();
  }

  /** The first line that fits. @throws Error with everything said when the program ends without saying it. */
  async said(what: string, fits: (line: string) => boolean, withinMs = READY_WITHIN_MS): Promise<string> {
    return until(
      what,
      () => {
        const line = this.output.find(fits);
        if (line === undefined && !this.alive) {
          throw new Error(`${what}: the program ended first\n${[...this.output, ...this.errors].join('\n')}`);
        }
        return line;
      },
      withinMs,
    );
  }
}

/** The service in a process of its own, its log at hand. */
export class Service extends Program {
  url = '';

  private constructor(env: Readonly<Record<string, string>>, openFiles: number | null = null) {
    const command = [process.execPath, SERVICE];
    const [file = '', ...args] =
      openFiles === null ? command : ['sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, ...command];
    super(file, args, {
      PORT: '0',
      AGENT_API_KEY: AGENT_KEY,
      OPERATOR_API_KEY: OPERATOR_KEY,
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'json',
      // The sandbox's limits are lifted likewise: what is tested is not the pace.
      RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
      RATE_LIMIT_AGENT_PER_MINUTE: '1000000',
      RATE_LIMIT_OPERATOR_PER_MINUTE: '1000000',
      TELEGRAM_BUDGET_PER_SECOND: '1000',
      TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
      TELEGRAM_BUDGET_GROUP_PER_MINUTE: '10000',
      ...env,
    });
  }

  /** Not waited for: for starts that are to fail. */
  static launch(env: Readonly<Record<string, string>>): Service {
    return new Service(env);
  }

  /** @param openFiles how many files it may have open, as `ulimit -n` sets it */
  static async start(
    env: Readonly<Record<string, string>>,
    openFiles: number | null = null,
  ): Promise<Service> {
    const service = new Service(env, openFiles);
    const ready = await service.said('the service is ready', (line) => line.includes('"service.ready"'));
    service.url = (JSON.parse(ready) as { url: string }).url;
    return service;
  }

  get events(): LogLine[] {
    return this.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
  }

  eventsNamed(name: string): LogLine[] {
    return this.events.filter(({ event }) => event === name);
  }
}

/** The Telegram sandbox in a process of its own. @returns it, and its address. */
export async function startSandboxProcess(port = 0): Promise<{ program: Program; url: string }> {
  const program = new Program(process.execPath, [SANDBOX], { SANDBOX_PORT: String(port) });
  const line = await program.said('the sandbox is ready', (said) => said.includes('http://'));
  const url = /http:\/\/[^/\s]+/.exec(line)?.[0] ?? '';
  return { program, url };
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** A new directory below the system's temporary one, passable for PostgreSQL's user, removed by {@link cleanUp}. */
export function temporaryDirectory(name = 'countersign-e2e-'): string {
  const directory = mkdtempSync(join(tmpdir(), name));
  chmodSync(directory, 0o711);
  directories.add(directory);
  return directory;
}

/** PIDs of living processes that have the directory in their command line or environment. */
export function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) =>
      ['cmdline', 'environ'].some((file) => readOrNothing(`/proc/${pid}/${file}`).includes(directory)),
    )
    .map(Number);
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it ended while we looked
  }
}

/** The embedded database's first process; null when it does not run. */
export function postmasterOf(dataDir: string): number | null {
  const file = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  const pid = existsSync(file) ? Number(readOrNothing(file).split('\n')[0]) : 0;
  return pid > 0 && existsSync(`/proc/${pid}`) ? pid : null;
}

/** Ends every program of this test file, and the databases they left; removes the temporary directories. */
export async function cleanUp(): Promise<void> {
  const programs = [...running];
  for (const program of programs) program.killGroup();
  await Promise.all(programs.map((program) => program.ended));
  for (const directory of directories) {
    for (const pid of processesOf(directory)) {
      if (/postgres/.test(readOrNothing(`/proc/${pid}/cmdline`).split('\0')[0] ?? ''))
        process.kill(pid, 'SIGQUIT');
    }
    await until('nothing of the test runs', () => processesOf(directory).length === 0);
    rmSync(directory, { recursive: true, force: true });
  }
  directories.clear();
}
