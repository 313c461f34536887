import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** performance.md, rows 5, 6 and 16. */
const WANTED = 10_000;
/** File descriptors beside the waiters: libraries, log, database, pipes. */
const OTHER_FILES = 500;
/** The service keeps a quarter of its connections for calls that are answered at once. */
const HELD_PART = 0.75;

const openFiles = () => {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Infinity : Number(limit);
};

/** Each waiter to one server takes one port of ours. */
function ports() {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
    return last - first - OTHER_FILES;
  } catch {
    return 16_000; // IANA's range, less than which no system has
  }
}

/** Waiters that one process may hold on this machine: ten thousand, or fewer with a warning. */
export function waiters() {
  const possible = Math.min((openFiles() - OTHER_FILES) * HELD_PART, ports());
  if (possible >= WANTED) return WANTED;
  const scaled = Math.max(300, Math.floor(possible / 100) * 100);
  process.stderr.write(
    `\nbench: only ${scaled} of ${WANTED} waiters: ulimit -n is ${openFiles()}, and ${ports()} local ports are free; raise them for the figures that are meant\n`,
  );
  return scaled;
}
