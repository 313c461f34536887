// npm run readiness: runs every proof of docs/production-readiness-checklist.md and writes the filled checklist.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { commandsOf, partsOf, resultOf } from './proofs.mjs';

const ROOT = join(import.meta.dirname, '../..');
const CHECKLIST = join(ROOT, 'docs/production-readiness-checklist.md');
const REPORTS = join(ROOT, 'reports');
/** As much of a failing proof's output as a person reads. */
const TAIL_LINES = 40;
const TAIL_CHARACTERS = 20_000;
/** Interval at which a long proof reports that it is still running. */
const PROGRESS_EVERY_MS = 30_000;

const ROW = /^\| (?<item>.+?) +\| `(?<proof>[^`]+)` +\|$/;

const lines = readFileSync(CHECKLIST, 'utf8').split('\n');
const proofs = lines.flatMap((line) => ROW.exec(line)?.groups.proof ?? []);
const commands = commandsOf(proofs);

const startedAt = performance.now();
const secondsSince = (moment) => Math.round((performance.now() - moment) / 1000);

/** Runs it in a shell. @returns whether it exited 0, how long it took, the end of what it said, and its tests. */
function run({ command, tier }) {
  return new Promise((resolve) => {
    const begunAt = performance.now();
    const file = join(REPORTS, 'tests.json');
    rmSync(file, { force: true });
    const shell = spawn('bash', ['-c', tier ? `${command} -- --json --outputFile="$RESULTS"` : command], {
      cwd: ROOT,
      env: { ...process.env, RESULTS: file },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [shell.stdout, shell.stderr]) {
      stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-TAIL_CHARACTERS)));
    }
    const timer = setInterval(() => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      console.log(`      ${secondsSince(begunAt)} s: ${last.trim().slice(0, 100)}`);
    }, PROGRESS_EVERY_MS);
    shell.once('close', (code) => {
      clearInterval(timer);
      resolve({
        passed: code === 0,
        seconds: secondsSince(begunAt),
        tail: output.trimEnd().split('\n').slice(-TAIL_LINES).join('\n'),
        files: tier ? testsIn(file) : [],
      });
    });
  });
}

/** The result of every test file; empty when the run ended before. */
function testsIn(file) {
  let results;
  try {
    results = JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return []; // the exit code tells, and the end of the output says why
  }
  return results.map(({ name, status, assertionResults }) => ({
    path: name.slice(ROOT.length + 1),
    passed: status === 'passed',
    tests: assertionResults.filter((each) => each.status === 'passed').length,
    skipped: assertionResults
      .filter((each) => ['pending', 'todo', 'skipped'].includes(each.status))
      .map(({ fullName }) => fullName),
  }));
}

const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();

mkdirSync(REPORTS, { recursive: true });
const ran = new Map();
for (const [index, each] of commands.entries()) {
  console.log(`[${index + 1}/${commands.length}] ${each.command}`);
  const result = await run(each);
  ran.set(each.command, result);
  console.log(`      ${result.passed ? 'passed' : 'FAILED'}, ${result.seconds} s`);
  if (!result.passed) console.log(result.tail.replace(/^/gm, '      | '));
}

const results = new Map(proofs.map((proof) => [proof, resultOf(partsOf(proof), ran)]));
const failed = [...results].filter(([, { passed }]) => !passed);
const skipped = [...ran.values()].flatMap(({ files }) =>
  files.flatMap(({ path, skipped: names }) => names.map((name) => `- ${path}: ${name}`)),
);
const verdict = [
  failed.length === 0
    ? `All ${results.size} proofs passed`
    : `${failed.length} of ${results.size} proofs failed: no-go`,
  ...(skipped.length > 0 ? [`${skipped.length} tests were skipped, see the end`] : []),
].join('; ');
const changed = git('status', '--porcelain') === '' ? '' : ', with uncommitted changes';
const filled = lines.map((line) => {
  const result = results.get(ROW.exec(line)?.groups.proof);
  if (result) return `${line} ${result.passed ? '✓' : '✗'} ${result.note} |`;
  if (/^\| item +\| proof +\|$/.test(line)) return `${line} result |`;
  return /^\| -+ \| -+ \|$/.test(line) ? `${line} --- |` : line;
});
const durations = [...ran].map(
  ([command, { passed, seconds }]) => `| \`${command}\` | ${passed ? '✓' : '✗'} | ${seconds} s |`,
);
writeFileSync(
  join(REPORTS, 'production-readiness.md'),
  [
    `> ${verdict}. Commit ${git('rev-parse', 'HEAD')}${changed}, ${new Date().toISOString()}, Node ${process.version}, ${cpus().length} processors, ${secondsSince(startedAt)} s.\n`,
    ...filled,
    '## What was run\n',
    '| command | result | took |\n| --- | --- | --- |',
    ...durations,
    ...(skipped.length > 0 ? ['\n## Skipped tests\n', ...skipped] : []),
    '',
  ].join('\n'),
);
console.log(
  `\n${verdict}, after ${secondsSince(startedAt)} s. reports/production-readiness.md has the filled checklist.`,
);
for (const [proof, { note }] of failed) console.log(`  ✗ ${proof}: ${note}`);
process.exitCode = failed.length === 0 ? 0 : 1;
