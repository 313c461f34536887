import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';

const MAX_CALL_MS = 0.001;

async function breaker({ stage, rounds, progress }) {
  const micro = await stage.remote('load/micro.mjs');
  for (const name of ['bare', 'breaker', 'guard']) await micro.call(name);
  const guarded = [];
  const pairs = await inTurn(
    rounds,
    { ours: () => micro.call('breaker'), baseline: () => micro.call('bare') },
    (n) => progress(`breaker, round ${n}`),
  );
  for (let n = 0; n < rounds; n++) guarded.push(await micro.call('guard'));
  const ms = median(pairs.map(({ ours, baseline }) => ours - baseline));
  return [
    {
      n: 12,
      ratios: ratiosOf(pairs),
      note: `${ms.toFixed(5)} ms a call; retry + breaker + timeout composed: ${median(guarded).toFixed(4)} ms`,
      also: ms < MAX_CALL_MS,
    },
  ];
}

export default [{ rows: [12], measure: breaker }];
