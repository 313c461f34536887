// How long the program for agents takes to start, beside Node.js itself: npm run bench:agent.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median } from './harness/statistics.mjs';

const RUNS = 20;
const FILE = join(import.meta.dirname, '../../dist/agent/countersign-agent.cjs');

/** Median time in milliseconds from the start to the end of Node.js with these arguments. */
function milliseconds(args) {
  const times = Array.from({ length: RUNS }, () => {
    const begun = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
    return performance.now() - begun;
  });
  return Math.round(median(times));
}

console.log(`countersign-agent --version: ${milliseconds([FILE, '--version'])} ms (goal: 150 ms)`);
console.log(`node alone:                  ${milliseconds(['-e', '0'])} ms`);
