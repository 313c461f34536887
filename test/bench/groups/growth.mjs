import { addDecided, addPending } from '../harness/population.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const FEW = SIZES[0];
const MANY = SIZES.at(-1);
const COUNT = 300;
const IDLE_SWEEPS = 50;
/** So many of the rows are read, wherever they lie. */
const SAMPLE = 2_000;
const OPERATIONS = ['enqueue', 'read', 'decide', 'idle sweep'];

/** One database of that size with a service on it, and what each operation costs there. */
async function sized(stage, rows, generator, rounds) {
  const database = await stage.database();
  const rig = await stage.replica();
  const { url } = await rig.call('open', stage.environment(database));
  const { hostname: host, port } = new URL(url);
  const target = { host, port: Number(port) };
  await addDecided(database, { url }, rows);
  const waiting = await addPending(database, { url }, COUNT * (rounds + 2));
  const [{ ids }] = await database.query(
    `select array_agg(id) as ids from approvals where status <> 'pending' and random() < $1`,
    [Math.min(1, SAMPLE / rows)],
  );
  const some = () => Array.from({ length: COUNT }, () => ids[Math.floor(Math.random() * ids.length)]);
  const measure = {
    enqueue: () =>
      generator.call('enqueueSlowly', { target, path: '/api/approvals', key: KEYS.agent, count: COUNT }),
    read: () => generator.call('read', { target, key: KEYS.agent, ids: some() }),
    decide: () => generator.call('decide', { target, key: KEYS.operator, ids: waiting.splice(0, COUNT) }),
    'idle sweep': () => rig.call('idleSweep', IDLE_SWEEPS),
  };
  for (const operation of OPERATIONS) await measure[operation]();
  return measure;
}

async function growth({ stage, rounds, progress }) {
  const generator = await stage.remote('load/generator.mjs');
  const at = {};
  for (const rows of SIZES) {
    progress(`making ${rows} rows`);
    at[rows] = await sized(stage, rows, generator, rounds);
  }
  const curve = [];
  for (const rows of SIZES) {
    const ms = {};
    for (const operation of OPERATIONS) ms[operation] = await at[rows][operation]();
    curve.push({ rows, ms });
  }
  const ratios = {};
  for (const operation of OPERATIONS) {
    const pairs = await inTurn(
      rounds,
      { ours: () => at[MANY][operation](), baseline: () => at[FEW][operation]() },
      (n) => progress(`${operation} with ${MANY} and ${FEW} rows, round ${n}`),
    );
    ratios[operation] = ratiosOf(pairs);
  }
  // The row is as good as its worst operation.
  const worst = OPERATIONS.reduce((a, b) => (median(ratios[a]) >= median(ratios[b]) ? a : b));
  const each = OPERATIONS.map((operation) => `${operation} ${median(ratios[operation]).toFixed(2)}`);
  return [{ n: 9, ratios: ratios[worst], note: each.join(', '), curve }];
}

export default [{ rows: [9], measure: growth }];
