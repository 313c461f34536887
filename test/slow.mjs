// npm run test:slow [-- RESULTS]: `npm test` and `npm run test:e2e` while a busy neighbour takes every core, as on a slow
// machine. Whatever fails here and not alone asserts the time of the machine. RESULTS: a folder for Jest's results of e2e.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const [results] = process.argv.slice(2);
const SUITES = [
  ['test'],
  [
    'run',
    'test:e2e',
    ...(results === undefined ? [] : ['--', '--json', `--outputFile=${join(results, 'e2e.json')}`]),
  ],
];

// It ends by itself when this process is gone, however that came.
const BUSY = `process.stdin.resume().on('end', () => process.exit());
const work = () => { for (const end = Date.now() + 50; Date.now() < end;); setImmediate(work); };
work();`;
const neighbours = Array.from({ length: availableParallelism() }, () =>
  spawn(process.execPath, ['-e', BUSY], { stdio: ['pipe', 'inherit', 'inherit'] }),
);

let failed = false;
for (const args of SUITES) {
  const beganAt = performance.now();
  const [code] = await once(spawn('npm', args, { stdio: 'inherit' }), 'exit');
  const seconds = Math.round((performance.now() - beganAt) / 1000);
  console.log(`test:slow: npm ${args.slice(0, 2).join(' ')} ended with ${code} after ${seconds} s`);
  failed ||= code !== 0;
}
const lost = neighbours.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
if (lost.length > 0) console.error(`test:slow: ${lost.length} busy neighbours had ended before the tests`);
for (const neighbour of neighbours) neighbour.stdin.end();
process.exitCode = failed || lost.length > 0 ? 1 : 0;
