import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds of one tick of `/proc`, which Linux fixes. */
const TICK_MS = 10;

/** User and system time of a process so far, in milliseconds; 0 for one that has ended. */
function cpuOf(pid) {
  try {
    // The name, in parentheses, may have blanks.
    const [, , user, system] = fieldsOf(pid).slice(9);
    return (Number(user) + Number(system)) * TICK_MS;
  } catch {
    return 0;
  }
}

const fieldsOf = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};

const parentOf = (pid) => {
  try {
    return Number(fieldsOf(pid)[1]);
  } catch {
    return 0;
  }
};

const childrenOf = (parent) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);

/**
 * The CPU time that a process and the backends of PostgreSQL take for one operation of a load, in microseconds. Both sides
 * of a ratio run in turn, so the backends work for one of them.
 *
 * @param load resolves with `requests`, the number of operations
 */
export async function withCpu({ pid, postmaster }, load) {
  const read = () => ({
    program: cpuOf(pid),
    postgres: childrenOf(postmaster).reduce((sum, child) => sum + cpuOf(child), 0),
  });
  const before = read();
  const result = await load();
  const after = read();
  const each = (part) => ((after[part] - before[part]) * 1000) / result.requests;
  return { ...result, cpu: { program: each('program'), postgres: each('postgres') } };
}
