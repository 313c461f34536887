#!/usr/bin/env node
/** Writes the table and the plots of docs/performance.md from a run: node test/bench/report.mjs FILE (of --json). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lineChart } from './harness/plot.mjs';
import { formatTable } from './harness/table.mjs';

const DOCS = resolve(import.meta.dirname, '../../docs');
const TABLE = /(<!-- bench -->\n)[\s\S]*?(\n<!-- \/bench -->)/;

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node test/bench/report.mjs FILE');
const { rows, machine, rounds, seconds } = JSON.parse(readFileSync(file, 'utf8'));

const document = join(DOCS, 'performance.md');
const run = `${rounds} rounds, ${seconds} s, ${machine.cpus} × ${machine.model}, Node ${machine.node}.`;
const text = readFileSync(document, 'utf8');
if (!TABLE.test(text)) throw new Error(`${document} has no place for the table`);
writeFileSync(
  document,
  text.replace(TABLE, (_, begin, end) => `${begin}\n${formatTable(rows)}\n\n${run}\n${end}`),
);

const curveOf = (n) => rows.find((row) => row.n === n)?.curve;
const growth = curveOf(9);
if (growth) {
  const operations = Object.keys(growth[0].ms);
  const chart = lineChart({
    title: 'Cost of an operation against rows',
    xLabel: 'decided approvals in the database',
    lines: Object.fromEntries(
      operations.map((operation) => [operation, growth.map(({ rows: size, ms }) => [size, ms[operation]])]),
    ),
  });
  writeFileSync(join(DOCS, 'images/cost-against-rows.svg'), chart);
}
const waiting = curveOf(5);
if (waiting) {
  const chart = lineChart({
    title: 'Decision to answer against waiters',
    xLabel: 'calls that wait at the same replica',
    lines: { 'decision → answer': waiting.map(({ waiters, ms }) => [waiters, ms]) },
  });
  writeFileSync(join(DOCS, 'images/cost-against-waiters.svg'), chart);
}
