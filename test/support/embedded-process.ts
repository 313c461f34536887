import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { until } from './until';

export const AM_ROOT = process.getuid?.() === 0;
/** The ordinary user to run as where the tests run as root (nobody, on Debian); else whoever we are. */
export const ORDINARY_USER = AM_ROOT ? { uid: 65_534, gid: 65_534 } : {};

/** A busy machine is slow, not wrong. */
const PATIENCE_MS = 60_000;

const lineSchema = z.looseObject({ event: z.string() });
const readySchema = z.object({
  url: z.string(),
  ownerUrl: z.string(),
  pid: z.number(),
  adopted: z.boolean(),
});
export type Ready = z.infer<typeof readySchema>;

interface RunOptions {
  readonly cwd?: string;
  readonly user?: { readonly uid?: number; readonly gid?: number };
  /** Command to run Node under, as `['env', '-i']`. */
  readonly under?: readonly string[];
}

/** One run of the child program. */
export class EmbeddedProcess {
  private readonly lines: z.infer<typeof lineSchema>[] = [];
  private readonly child: ChildProcess;
  ended = false;

  constructor(program: string, dataDir: string, { cwd, user, under = [] }: RunOptions = {}) {
    const [file, ...args] = [...under, process.execPath, program, dataDir];
    this.child = spawn(file, args, { ...user, cwd, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.once('close', () => (this.ended = true));
    this.child.stdin?.on('error', () => undefined);
    if (this.child.stdout) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        this.lines.push(lineSchema.parse(JSON.parse(line)));
      });
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  said(event: string): z.infer<typeof lineSchema> | undefined {
    return this.lines.find((line) => line.event === event);
  }

  async hears(event: string): Promise<z.infer<typeof lineSchema>> {
    const heard = (): z.infer<typeof lineSchema> | undefined => {
      const line = this.said(event);
      if (!line && this.ended) throw new Error(`the service ended with ${JSON.stringify(this.lines)}`);
      return line;
    };
    return until(`the service says ${event}`, heard, PATIENCE_MS);
  }

  async ready(): Promise<Ready> {
    return readySchema.parse(await this.hears('ready'));
  }

  /** The message it gave up with. */
  async failure(): Promise<string> {
    const { message } = await this.hears('failed');
    await this.gone();
    return String(message);
  }

  async stop(): Promise<void> {
    this.child.stdin?.write('stop\n');
    await this.hears('stopped');
    await this.gone();
  }

  /** To the whole process group, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  async kill(): Promise<void> {
    if (!this.ended) this.child.kill('SIGKILL');
    await this.gone();
  }

  async gone(): Promise<void> {
    await until('the service has ended', () => this.ended);
  }
}

/** The directory of the cluster of a DATA_DIR. */
export function homeOf(dataDir: string): string {
  const pointer = join(dataDir, 'postgres.json');
  if (!existsSync(pointer)) return join(dataDir, 'postgres');
  return z.object({ home: z.string() }).parse(JSON.parse(readFileSync(pointer, 'utf8'))).home;
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** PIDs of all processes, postmaster and backends, that work in the DATA_DIR's cluster (Linux). */
export function postgresIn(dataDir: string): number[] {
  const home = homeOf(dataDir);
  if (!existsSync(home)) return [];
  const inside = realpathSync(home);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${inside}/`);
      } catch {
        return false;
      }
    });
}

/** Those of them that no other of them started. */
export function postmastersIn(dataDir: string): number[] {
  const pids = postgresIn(dataDir);
  return pids.filter((pid) => {
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return !pids.includes(Number(parent));
    } catch {
      return false; // it ended while we looked
    }
  });
}

/** Ends whatever a test left in its DATA_DIR, and removes where root keeps its cluster. */
export async function cleanUp(dataDir: string): Promise<void> {
  await until('PostgreSQL is gone', () => {
    const pids = postgresIn(dataDir);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        continue; // it was faster
      }
    }
    return pids.length === 0;
  });
  const home = homeOf(dataDir);
  for (const path of [dataDir, home]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
