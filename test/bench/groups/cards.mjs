import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';

const MAX_COMPOSING_MS = 2;

async function composing({ stage, rounds, progress }) {
  const composer = await stage.remote('load/composing.mjs');
  for (const name of ['compose', 'write']) await composer.call(name);
  const pairs = await inTurn(
    rounds,
    { ours: () => composer.call('compose'), baseline: () => composer.call('write') },
    (n) => progress(`cards, round ${n}`),
  );
  const ms = (figure) => median(pairs.map(({ ours }) => ours[figure]));
  return [
    {
      n: 20,
      ratios: ratiosOf(pairs, ({ mean }) => mean),
      note: `p50 ${ms('p50').toFixed(2)} ms, p99 ${ms('p99').toFixed(2)} ms a card, with its files and digests`,
      also: ms('p99') <= MAX_COMPOSING_MS,
    },
  ];
}

export default [{ rows: [20], measure: composing }];
