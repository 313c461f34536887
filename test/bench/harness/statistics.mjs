/** The value below which this fraction of the values lies. */
export function quantile(values, fraction) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Measures both sides in turn, each time in the other order, so that what drifts on the machine hits both alike.
 *
 * @returns what each round measured: `[{ours, baseline}, …]`.
 */
export async function inTurn(rounds, { ours, baseline }, onRound = () => undefined) {
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    const sides = { ours: null, baseline: null };
    const order = round % 2 === 0 ? ['baseline', 'ours'] : ['ours', 'baseline'];
    for (const side of order) sides[side] = await (side === 'ours' ? ours : baseline)(round);
    pairs.push(sides);
    onRound(round + 1);
  }
  return pairs;
}

/** The paired ratios of one figure of both sides. */
export function ratiosOf(pairs, figure = (value) => value) {
  return pairs.map(({ ours, baseline }) => figure(ours) / figure(baseline));
}
