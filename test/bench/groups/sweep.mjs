import { addPending } from '../harness/population.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';

const DUE = 10_000;
const SETTLED = 50_000;
const IDLE_SWEEPS = 100;

async function replica(stage, database, more = {}) {
  const remote = await stage.replica();
  return Object.assign(remote, await remote.call('open', stage.environment(database, more)));
}

/** Rows that are due, and tables as they were before the last round. */
async function fresh(database, rig, count = DUE) {
  await database.query('truncate outbox');
  await database.query(`delete from approvals where status = 'expired'`);
  await database.query('vacuum analyze approvals');
  await addPending(database, rig, count, '-1 second');
}

async function sweeps({ stage, rounds, progress }) {
  const { environment } = await stage.sandbox();
  const database = await stage.database();
  // The chat takes nothing while this lasts: the outbox is written, and what is measured is the sweep.
  const more = { ...environment, TELEGRAM_BUDGET_GROUP_PER_MINUTE: '1' };
  const rigs = [await replica(stage, database, more), await replica(stage, database, more)];
  rigs.push(await replica(stage, database, more));
  const [rig] = rigs;
  const swept = async (by) => {
    await fresh(database, rig);
    const startedAt = performance.now();
    await Promise.all(by.map((each) => each.call('sweep')));
    return performance.now() - startedAt;
  };
  await swept(rigs);
  const alone = await inTurn(
    rounds,
    {
      ours: () => swept([rig]),
      baseline: async () => {
        await fresh(database, rig);
        return rig.call('update');
      },
    },
    (n) => progress(`sweep of ${DUE}, round ${n}`),
  );
  let duplicates = 0;
  const together = await inTurn(
    rounds,
    {
      ours: async () => {
        await database.query('truncate audit_log');
        const ms = await swept(rigs);
        const [{ extra }] = await database.query(
          `select count(*)::int - count(distinct approval_id)::int + abs(count(*)::int - ${DUE}) as extra
           from audit_log where type = 'approval.expired'`,
        );
        duplicates += extra;
        return ms;
      },
      baseline: () => swept([rig]),
    },
    (n) => progress(`sweep with three replicas, round ${n}`),
  );
  const ms = (pairs, side) => Math.round(median(pairs.map((pair) => pair[side])));
  return [
    {
      n: 7,
      ratios: ratiosOf(alone),
      note: `${ms(alone, 'ours')} against ${ms(alone, 'baseline')} ms`,
    },
    {
      n: 8,
      ratios: ratiosOf(together),
      note: `${ms(together, 'ours')} against ${ms(together, 'baseline')} ms; ${duplicates} duplicates`,
      also: duplicates === 0,
    },
  ];
}

/** A snapshot that somebody holds keeps every row version; the sweep must not read them again and again. */
async function underSnapshot({ stage, rounds, progress }) {
  const [old, fresh] = [await stage.database(), await stage.database()];
  const [oldRig, freshRig] = [await replica(stage, old), await replica(stage, fresh)];
  const holder = await old.connect();
  try {
    await holder.query('begin isolation level repeatable read');
    await holder.query('select count(*) from approvals');
    progress(`${SETTLED} rows are settled under a snapshot`);
    await addPending(old, oldRig, SETTLED, '-1 second');
    await oldRig.call('sweep');
    for (const rig of [oldRig, freshRig]) await rig.call('idleSweep', IDLE_SWEEPS);
    const pairs = await inTurn(
      rounds,
      {
        ours: () => oldRig.call('idleSweep', IDLE_SWEEPS),
        baseline: () => freshRig.call('idleSweep', IDLE_SWEEPS),
      },
      (n) => progress(`idle sweep, round ${n}`),
    );
    const ms = (side) => median(pairs.map((pair) => pair[side])).toFixed(2);
    return [{ n: 10, ratios: ratiosOf(pairs), note: `${ms('ours')} against ${ms('baseline')} ms` }];
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

export default [
  { rows: [7, 8], measure: sweeps },
  { rows: [10], measure: underSnapshot },
];
