import { built } from '../harness/stage.mjs';
import { serve } from '../harness/rpc.mjs';
import { median, quantile } from '../harness/statistics.mjs';

const UNITS = 256 * 1024;
const MAX_MESSAGE_LENGTH = 4096;
/** Different actions, so that a percentile is of cards and not of pauses. */
const VARIANTS = 20;
/** As for row 18. */
const REPEATS = 7;

const { renderCard } = built('cards/card-text.js');

/** Lines of source of this length in total; no two variants are alike. */
function source(units, variant) {
  let text = '';
  for (let n = 0; text.length < units; n++)
    text += `export const value_${n} = compute(${n + variant}, 'a text of ${variant}'); // and why\n`;
  return text.slice(0, units);
}

/** An action of each kind that reads differently on a card. */
const KINDS = [
  (n) => ['Bash', { command: source(UNITS, n) }],
  (n) => ['Write', { file_path: '/srv/shop/values.ts', content: source(UNITS, n) }],
  (n) => {
    const before = source(UNITS / 2, n);
    return [
      'Edit',
      {
        file_path: '/srv/shop/values.ts',
        old_string: before,
        new_string: before.replaceAll('compute(5', 'c(5'),
      },
    ];
  },
  (n) => ['mcp__database__query', { database: 'shop', sql: source(UNITS, n) }],
  (n) => ['mcp__chat__post', { channel: '#ops', image: pictureLike((UNITS * 3) / 4, n) }],
];

/** Data that is recognized as a picture by its first bytes. */
function pictureLike(bytes, variant) {
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(bytes, variant)]).toString(
    'base64',
  );
}

const createdAt = new Date();
const request = ([toolName, toolInput]) => ({
  id: '019fbc3e-7a00-7000-8000-0123456789ab',
  keyId: 'bench',
  owner: null,
  agentId: 'bench',
  sessionId: 'session',
  toolName,
  toolInput,
  toolUseId: null,
  summary: null,
  cwd: '/srv/shop',
  metadata: {},
  connector: 'claude-code',
  policy: null,
  inputDigest: `sha256:${'0'.repeat(64)}`,
  correlationId: 'bench',
  traceparent: null,
  createdAt,
  expiresAt: new Date(createdAt.getTime() + 1_800_000),
  status: 'pending',
});
const requests = Array.from({ length: VARIANTS }, (_, n) => KINDS.map((kind) => request(kind(n)))).flat();

/** Milliseconds of each, the median of several runs. */
function timesOf(call) {
  const took = requests.map((each) =>
    median(
      Array.from({ length: REPEATS }, () => {
        const startedAt = performance.now();
        call(each);
        return performance.now() - startedAt;
      }),
    ),
  );
  return {
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    mean: took.reduce((a, b) => a + b) / took.length,
  };
}

serve({
  compose: () => timesOf((each) => renderCard(each, MAX_MESSAGE_LENGTH)),
  write: () => timesOf(({ toolInput }) => JSON.stringify(toolInput)),
});
