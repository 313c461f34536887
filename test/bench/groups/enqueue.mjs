import { inTurn, ratiosOf, median } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';
import { withCpu } from '../harness/cpu.mjs';

/** performance.md: many agents, and the one that is alone. */
const CONNECTIONS = 64;
const POOL_SIZE = 10;
const SECONDS = 3;
/** Until Node has compiled what is hot: a service runs for weeks, and its first seconds are not what it costs. */
const WARM_UP_SECONDS = 12;
const ALONE = 200;
/** Normal and peak load of the reference document, and its bound for both. */
const LOADS = [50, 100];
const MAX_RECORDING_MS = 0.1;

async function target(stage, more) {
  const database = await stage.database();
  const service = await stage.service(database, more);
  return { pid: service.child.pid, target: addressOf(service), path: '/api/approvals', key: KEYS.agent };
}

async function throughput({ stage, rounds, progress }) {
  const { environment } = await stage.sandbox();
  const ours = await target(stage, { ...environment, DATABASE_POOL_SIZE: String(POOL_SIZE) });
  const raw = await stage.remote('load/raw-server.mjs');
  const { url } = await stage.database();
  const baseline = {
    pid: raw.child.pid,
    target: await raw.call('insertServer', { url, poolSize: POOL_SIZE }),
    path: '/raw',
    key: KEYS.agent,
  };
  const generator = await stage.remote('load/generator.mjs');
  const postmaster = stage.postgres.pid;
  const both = (run) => ({ ours: () => run(ours), baseline: () => run(baseline) });
  const atOnce = (side) =>
    withCpu({ pid: side.pid, postmaster }, () => generator.call('enqueue', { ...side, ...load }));
  const oneByOne = (side) =>
    withCpu({ pid: side.pid, postmaster }, async () => ({
      requests: ALONE,
      p50: await generator.call('enqueueSlowly', { ...side, count: ALONE }),
    }));
  const load = { connections: CONNECTIONS, seconds: SECONDS };
  for (const side of [ours, baseline])
    await generator.call('enqueue', { ...side, ...load, seconds: WARM_UP_SECONDS });
  const pairs = await inTurn(rounds, both(atOnce), (n) => progress(`64 connections, round ${n}`));
  const alone = await inTurn(rounds, both(oneByOne), (n) => progress(`one connection, round ${n}`));
  const failures = pairs.reduce((sum, { ours: { failures } }) => sum + failures, 0);
  if (failures > 0) throw new Error(`${failures} enqueues failed`);

  const slowest = [];
  for (const connections of LOADS) {
    const { p99, max } = await generator.call('enqueue', { ...ours, connections, seconds: SECONDS });
    slowest.push(`${connections} concurrent: p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`);
  }
  const rate = (side) => Math.round(median(pairs.map((pair) => pair[side].perSecond)));
  const ms = (side, figure) => median(pairs.map((pair) => pair[side][figure])).toFixed(1);
  const one = (side) => median(alone.map((pair) => pair[side].p50)).toFixed(2);
  const cpu = (of) => {
    const each = ({ cpu: { program, postgres } }) => program + postgres;
    const [mine, theirs] = ['ours', 'baseline'].map((side) =>
      median(of.map((pair) => each(pair[side]))).toFixed(0),
    );
    return `CPU ${mine} against ${theirs} µs, ${median(ratiosOf(of, each)).toFixed(2)}`;
  };
  return [
    {
      n: 1,
      ratios: ratiosOf(pairs, ({ perSecond }) => perSecond),
      note: `${rate('ours')} against ${rate('baseline')} a second; ${cpu(pairs)}`,
    },
    {
      n: 2,
      ratios: ratiosOf(pairs, ({ p99 }) => p99),
      note: `${ms('ours', 'p99')} against ${ms('baseline', 'p99')} ms; ${slowest.join('; ')}`,
    },
    {
      n: 3,
      ratios: ratiosOf(alone, ({ p50 }) => p50),
      note: `${one('ours')} against ${one('baseline')} ms; ${cpu(alone)}`,
    },
  ];
}

async function metrics({ stage, rounds, progress }) {
  const database = await stage.database();
  const options = { path: '/api/approvals', key: KEYS.agent, connections: CONNECTIONS, seconds: SECONDS };
  const on = await stage.service(database);
  const off = await stage.service(database, {}, { preload: ['load/without-metrics.cjs'] });
  const generator = await stage.remote('load/generator.mjs');
  for (const service of [on, off])
    await generator.call('enqueue', { ...options, target: addressOf(service) });
  const pairs = await inTurn(
    rounds,
    {
      ours: () => generator.call('enqueue', { ...options, target: addressOf(on) }),
      baseline: () => generator.call('enqueue', { ...options, target: addressOf(off) }),
    },
    (n) => progress(`metrics on and off, round ${n}`),
  );
  const replica = await stage.replica();
  await replica.call('open', stage.environment(database));
  await replica.call('recording', 10_000);
  const ms = await replica.call('recording', 100_000);
  return [
    {
      n: 13,
      ratios: ratiosOf(pairs, ({ perSecond }) => perSecond),
      note: `${ms.toFixed(4)} ms a recording`,
      also: ms < MAX_RECORDING_MS,
    },
  ];
}

const addressOf = ({ host, port }) => ({ host, port });

export default [
  { rows: [1, 2, 3], measure: throughput },
  { rows: [13], measure: metrics },
];
