import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { codeOf } from './embedded-postgres-error';

const LINUX = process.platform === 'linux';
/** Position of `starttime` (field 22 of `/proc/PID/stat`, see proc(5)) among the fields after the command's name. */
const START_TIME_AFTER_NAME = 19;

function readOrNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null; // gone, or hidden from us: the caller must do without
  }
}

/** Without /proc (macOS), `ps` provides enough. */
const ps = (pid: number, column: string): string | null =>
  readOrNull(() =>
    execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], {
      encoding: 'utf8',
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    }).trim(),
  );

/** Reads state letter and start time at once. */
function stateOf(pid: number): { state: string; startedAt: string } | null {
  if (!LINUX) {
    const state = ps(pid, 'stat');
    const startedAt = ps(pid, 'lstart');
    return state && startedAt ? { state, startedAt } : null;
  }
  const stat = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name, in parentheses, may itself hold spaces and parentheses.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startedAt = fields?.[START_TIME_AFTER_NAME];
  return fields && startedAt ? { state: fields[0] ?? '', startedAt } : null;
}

/** Start time of the process: opaque text that, with the PID, tells it from a later process of the same number. */
export function startTimeOf(pid: number): string | null {
  return stateOf(pid)?.startedAt ?? null;
}

/** True if the process runs; with `startedAt`, if it is still the same one. A zombie does not run. */
export function isRunning(pid: number, startedAt: string | null = null): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false;
  }
  const seen = stateOf(pid);
  if (seen === null) return true;
  return !/^[ZX]/.test(seen.state) && (startedAt === null || startedAt === seen.startedAt);
}

/** True if the directory is the process's working directory, as a cluster is its postmaster's. */
export function worksIn(pid: number, directory: string): boolean {
  const cwd = LINUX ? readOrNull(() => readlinkSync(`/proc/${pid}/cwd`)) : null;
  if (cwd !== null) return cwd === directory;
  const command = LINUX ? readOrNull(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) : ps(pid, 'command');
  return command?.includes(directory) ?? false;
}

/** Names the scope in which PIDs can be compared: a boot of a machine, and the container on it. */
export function pidSpace(): string {
  if (!LINUX) return hostname();
  const boot = readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = readOrNull(() => readlinkSync('/proc/self/ns/pid'));
  return `${boot ?? hostname()} ${namespace ?? ''}`.trim();
}
