// npm run readiness: runs every proof of docs/production-readiness-checklist.md and writes the filled checklist.
import { spawn, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const CHECKLIST = join(ROOT, 'docs/production-readiness-checklist.md');
const REPORT = join(ROOT, 'reports/production-readiness.md');
/** As much of a failing proof's output as a person reads. */
const TAIL_LINES = 40;

const ROW = /^\| (?<item>.+?) +\| `(?<command>[^`]+)` +\|$/;

const lines = readFileSync(CHECKLIST, 'utf8').split('\n');
const commands = [...new Set(lines.flatMap((line) => ROW.exec(line)?.groups.command ?? []))];

/** Runs it in a shell. @returns whether it exited 0, how long it took, and the end of what it said. */
function prove(command) {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const shell = spawn('bash', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [shell.stdout, shell.stderr]) {
      stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-20_000)));
    }
    shell.once('close', (code) => {
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      resolve({ passed: code === 0, seconds, tail: output.split('\n').slice(-TAIL_LINES).join('\n') });
    });
  });
}

const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();

const results = new Map();
for (const [index, command] of commands.entries()) {
  process.stdout.write(`[${index + 1}/${commands.length}] ${command} … `);
  const result = await prove(command);
  results.set(command, result);
  console.log(`${result.passed ? 'passed' : 'FAILED'}, ${result.seconds} s`);
  if (!result.passed) console.log(result.tail.replace(/^/gm, '    '));
}

const failed = [...results].filter(([, { passed }]) => !passed);
const changed = git('status', '--porcelain') === '' ? '' : ', with uncommitted changes';
const verdict =
  failed.length === 0
    ? `All ${results.size} proofs passed.`
    : `${failed.length} of ${results.size} proofs failed: no-go.`;
const filled = lines.map((line) => {
  const found = results.get(ROW.exec(line)?.groups.command);
  if (found) return `${line} ${found.passed ? '✓' : '✗ failed'} ${found.seconds} s |`;
  if (/^\| item +\| proof +\|$/.test(line)) return `${line} result |`;
  return /^\| -+ \| -+ \|$/.test(line) ? `${line} --- |` : line;
});
mkdirSync(join(ROOT, 'reports'), { recursive: true });
writeFileSync(
  REPORT,
  `> ${verdict} Commit ${git('rev-parse', 'HEAD')}${changed}, ${new Date().toISOString()}, Node ${process.version}.\n\n${filled.join('\n')}`,
);
console.log(`\n${verdict} reports/production-readiness.md has the filled checklist.`);
process.exitCode = failed.length === 0 ? 0 : 1;
