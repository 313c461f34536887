// How long the program for agents takes to start, beside Node.js itself: npm run bench:agent.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median } from './harness/statistics.mjs';

const RUNS = 20;
const GOAL_MS = 150;
const FILE = join(import.meta.dirname, '../../dist/agent/countersign-agent.cjs');

/** One start of each command: its end is the end of the start. A hook reads an empty input, and denies. */
const STARTS = {
  'node alone': { args: ['-e', '0'], status: 0 },
  '--version': { args: [FILE, '--version'], status: 0 },
  hook: { args: [FILE, 'hook', 'gemini'], status: 2 },
  ...Object.fromEntries(
    ['acp-proxy', 'approvals', 'connect', 'doctor', 'receipt', 'run'].map((name) => [
      name,
      { args: [FILE, name, '--help'], status: 0 },
    ]),
  ),
};

/** Time in milliseconds from the start to the end of Node.js. */
function milliseconds({ args, status }) {
  const begun = performance.now();
  const ended = spawnSync(process.execPath, args, { encoding: 'utf8', input: '' });
  if (ended.status !== status)
    throw new Error(`node ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  return performance.now() - begun;
}

const times = Object.fromEntries(Object.keys(STARTS).map((name) => [name, []]));
// In turns, so that another load of the machine meets all of them.
for (let run = 0; run < RUNS; run += 1)
  for (const [name, start] of Object.entries(STARTS)) times[name].push(milliseconds(start));

console.log(`Milliseconds from start to end, of ${RUNS}; the goal is ${GOAL_MS}`);
for (const [name, all] of Object.entries(times))
  console.log(
    `${name.padEnd(11)} median ${Math.round(median(all))}, fastest ${Math.round(Math.min(...all))}`,
  );
