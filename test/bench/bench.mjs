#!/usr/bin/env node
/**
 * The ratios of performance.md, each measured beside its baseline in this run.
 *
 * npm run bench [-- --only N[,N…]] [--rounds N] [--json FILE] [--check]
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { holdTheMachine } from './harness/one-at-a-time.mjs';
import { progressLine } from './harness/progress.mjs';
import { Stage } from './harness/stage.mjs';
import { median } from './harness/statistics.mjs';
import { formatTable } from './harness/table.mjs';
import { GROUPS, ROWS } from './rows.mjs';

/** performance.md: at least five. */
const ROUNDS = 5;

function options() {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      check: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string', default: String(ROUNDS) },
    },
  });
  const only = values.only?.split(',').map(Number) ?? ROWS.map(({ n }) => n);
  const unknown = only.filter((n) => !ROWS.some((row) => row.n === n));
  if (unknown.length > 0) throw new Error(`--only: there is no row ${unknown}; they are 1 to ${ROWS.length}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: must be a whole number from 1');
  return { ...values, only, rounds };
}

function judged({ n, ratios, also = true, ...more }) {
  const { name, target, holds, gated = false } = ROWS.find((row) => row.n === n);
  const ratio = median(ratios);
  const spread = [Math.min(...ratios), Math.max(...ratios)];
  return { n, name, ratio, spread, target, gated, ok: holds(ratio) && also, ...more };
}

/** Cut short: what was started ends with us, PostgreSQL too. */
function endCleanly(stage) {
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => void stage.close().finally(() => process.exit(1)));
}

async function measureAll({ only, rounds }, progress) {
  const stage = await Stage.open();
  endCleanly(stage);
  const results = [];
  try {
    for (const { rows, measure } of GROUPS) {
      if (!rows.some((n) => only.includes(n))) continue;
      const say = (what) => progress(`row ${rows.join(', ')}: ${what}`);
      say('setting up');
      results.push(...(await measure({ stage, rounds, progress: say })).map(judged));
      await stage.strike();
    }
  } finally {
    await stage.close();
  }
  return results.filter(({ n }) => only.includes(n)).toSorted((a, b) => a.n - b.n);
}

/** @returns the exit code. */
function check(rows) {
  const missed = rows.filter(({ ok }) => !ok);
  for (const { n, name, ratio, target, gated } of missed)
    console.log(
      `${gated ? 'MISSED (gate)' : 'missed'}: row ${n}, ${name}: ${ratio.toFixed(2)}, target ${target}`,
    );
  if (missed.length === 0) console.log('every row meets its target');
  return missed.some(({ gated }) => gated) ? 1 : 0;
}

async function main() {
  const asked = options();
  await holdTheMachine();
  const progress = progressLine();
  const startedAt = performance.now();
  const rows = await measureAll(asked, progress);
  progress.end();
  console.log(formatTable(rows));
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', node: process.version };
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${asked.rounds} rounds, ${seconds} s, ${machine.cpus} × ${machine.model}, Node ${machine.node}`,
  );
  if (asked.json)
    writeFileSync(
      asked.json,
      `${JSON.stringify({ rows, machine, rounds: asked.rounds, seconds }, null, 2)}\n`,
    );
  return asked.check ? check(rows) : 0;
}

main().then(
  // Child processes and pools are closed by then; what is left must not hold up the end.
  (code) => process.exit(code),
  (error) => {
    console.error(`\nbench: ${error instanceof Error ? error.stack : error}`);
    process.exit(1);
  },
);
