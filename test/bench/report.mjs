#!/usr/bin/env node
/** Writes the table and the plots of docs/performance.md from a run: node test/bench/report.mjs FILE (of --json). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lineChart } from './harness/plot.mjs';
import { formatTable } from './harness/table.mjs';

const DOCS = resolve(import.meta.dirname, '../../docs');
const SECTION = /(<!-- bench -->\n)[\s\S]*?(\n<!-- \/bench -->)/;

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node test/bench/report.mjs FILE');
const { rows, machine, rounds, seconds } = JSON.parse(readFileSync(file, 'utf8'));

const curveOf = (n) => rows.find((row) => row.n === n)?.curve;

/** @returns the Markdown that shows it. */
function draw(name, alternative, chart) {
  writeFileSync(join(DOCS, 'images', name), lineChart(chart));
  return `![${alternative}](images/${name})`;
}

const plots = [];
const growth = curveOf(9);
if (growth) {
  const lines = Object.fromEntries(
    Object.keys(growth[0].ms).map((operation) => [
      operation,
      growth.map(({ rows: size, ms }) => [size, ms[operation]]),
    ]),
  );
  const title = 'Cost of an operation against rows';
  plots.push(
    draw('cost-against-rows.svg', `${title}, in milliseconds`, {
      title,
      xLabel: 'decided approvals in the database',
      lines,
    }),
  );
}
const waiting = curveOf(5);
if (waiting) {
  const title = 'Decision to answer against waiters';
  plots.push(
    draw('cost-against-waiters.svg', `${title}, in milliseconds`, {
      title,
      xLabel: 'calls that wait at the same replica',
      lines: { 'decision → answer': waiting.map(({ waiters, ms }) => [waiters, ms]) },
    }),
  );
}

const run = `${rounds} rounds, ${seconds} s, ${machine.cpus} × ${machine.model}, Node ${machine.node}.`;
const document = join(DOCS, 'performance.md');
const text = readFileSync(document, 'utf8');
if (!SECTION.test(text)) throw new Error(`${document} has no place for the table`);
const section = [formatTable(rows), run, ...plots].join('\n\n');
writeFileSync(
  document,
  text.replace(SECTION, (_, begin, end) => `${begin}\n${section}\n${end}`),
);
