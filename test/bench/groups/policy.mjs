import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withCpu } from '../harness/cpu.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';
import { policyOf1000 } from '../load/policy.mjs';

const CONNECTIONS = 64;
const POOL_SIZE = 10;
const SECONDS = 3;
/** As for row 1. */
const WARM_UP_SECONDS = 12;
const MAX_EVALUATION_MS = 1;

const LOAD = { key: KEYS.agent, connections: CONNECTIONS, seconds: SECONDS };
const addressOf = ({ host, port }) => ({ host, port });

async function serviceWith(stage, policy) {
  const { environment } = await stage.sandbox();
  const more = { ...environment, DATABASE_POOL_SIZE: String(POOL_SIZE) };
  if (policy) {
    more.POLICY_FILE = join(stage.directory, 'policy.json');
    writeFileSync(more.POLICY_FILE, JSON.stringify(policy));
  }
  const service = await stage.service(await stage.database(), more);
  return { pid: service.child.pid, target: addressOf(service), path: '/api/approvals' };
}

/** Measures two sides with their CPU time; `command` is that of their requests. */
async function compare({ stage, rounds, progress }, sides, command) {
  const generator = await stage.remote('load/generator.mjs');
  const postmaster = stage.postgres.pid;
  const load = ({ target, path, pid }, seconds = SECONDS) =>
    withCpu({ pid, postmaster }, () =>
      generator.call('enqueue', { ...LOAD, target, path, seconds, command }),
    );
  for (const side of Object.values(sides)) await load(side, WARM_UP_SECONDS);
  const pairs = await inTurn(
    rounds,
    { ours: () => load(sides.ours), baseline: () => load(sides.baseline) },
    (n) => progress(`round ${n}`),
  );
  const failures = pairs.reduce((sum, { ours, baseline }) => sum + ours.failures + baseline.failures, 0);
  if (failures > 0) throw new Error(`${failures} requests failed`);
  return { pairs, note: noteOf(pairs) };
}

function noteOf(pairs) {
  const figure = (side, read) => median(pairs.map((pair) => read(pair[side])));
  const rate = (side) => Math.round(figure(side, ({ perSecond }) => perSecond));
  const cpu = (side) => {
    const [program, postgres] = ['program', 'postgres'].map((part) =>
      Math.round(figure(side, (one) => one.cpu[part])),
    );
    return `${program} + ${postgres}`;
  };
  return `${rate('ours')} against ${rate('baseline')} a second; CPU ${cpu('ours')} µs (service + PostgreSQL) against ${cpu('baseline')}`;
}

async function allowed(bench) {
  const { stage } = bench;
  const ours = await serviceWith(stage, policyOf1000());
  const raw = await stage.remote('load/raw-server.mjs');
  const { url } = await stage.database();
  const target = await raw.call('insertServer', { url, poolSize: POOL_SIZE });
  const sides = { ours, baseline: { pid: raw.child.pid, target, path: '/raw' } };
  const { pairs, note } = await compare(bench, sides, 'allowed');
  return [{ n: 17, ratios: ratiosOf(pairs, ({ perSecond }) => perSecond), note }];
}

async function evaluation({ stage, rounds, progress }) {
  const evaluating = await stage.remote('load/evaluating.mjs');
  for (const name of ['evaluate', 'parse']) await evaluating.call(name);
  const pairs = await inTurn(
    rounds,
    { ours: () => evaluating.call('evaluate'), baseline: () => evaluating.call('parse') },
    (n) => progress(`evaluation, round ${n}`),
  );
  const ms = (figure) => median(pairs.map(({ ours }) => ours[figure]));
  return [
    {
      n: 18,
      ratios: ratiosOf(pairs, ({ mean }) => mean),
      note: `p50 ${ms('p50').toFixed(3)} ms, p99 ${ms('p99').toFixed(3)} ms an evaluation`,
      also: ms('p99') < MAX_EVALUATION_MS,
    },
  ];
}

async function asked(bench) {
  const sides = {
    ours: await serviceWith(bench.stage, policyOf1000()),
    baseline: await serviceWith(bench.stage, null),
  };
  const { pairs, note } = await compare(bench, sides, 'asked');
  return [{ n: 19, ratios: ratiosOf(pairs, ({ perSecond }) => perSecond), note }];
}

export default [
  { rows: [18], measure: evaluation },
  { rows: [17], measure: allowed },
  { rows: [19], measure: asked },
];
