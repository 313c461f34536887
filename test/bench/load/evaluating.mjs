import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { built } from '../harness/stage.mjs';
import { serve } from '../harness/rpc.mjs';
import { median, quantile } from '../harness/statistics.mjs';
import { policyOf1000 } from './policy.mjs';

/** A call is measured so often, and its median counts: other programs on the machine interrupt one or the other. */
const REPEATS = 7;

const { readPolicy } = built('policy/document/read-policy.js');
const { compilePolicy } = built('policy/evaluation/compile-policy.js');
const { evaluate } = built('policy/evaluation/evaluate.js');
const { TOOL_SHAPES } = built('agents/adapters.js');

const policy = compilePolicy(readPolicy(JSON.stringify(policyOf1000())), TOOL_SHAPES);
const week = join(import.meta.dirname, '../../policy/recorded-week.jsonl');
const requests = readFileSync(week, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .map(({ agent, key, session, cwd, toolName, toolInput }) => ({
    key,
    owner: null,
    connector: 'claude-code',
    agentId: agent,
    sessionId: session,
    toolName,
    toolInput,
    cwd,
    mode: 'default',
    metadata: {},
  }));
const texts = requests.map((request) => JSON.stringify(request));

function medianOf(call) {
  const took = [];
  for (let n = 0; n < REPEATS; n++) {
    const startedAt = performance.now();
    call();
    took.push(performance.now() - startedAt);
  }
  return median(took);
}

const now = new Date();
const figures = (took) => ({
  p50: quantile(took, 0.5),
  p99: quantile(took, 0.99),
  mean: took.reduce((a, b) => a + b) / took.length,
});

serve({
  evaluate: () => figures(requests.map((request) => medianOf(() => evaluate(policy, request, now)))),
  parse: () => figures(texts.map((text) => medianOf(() => JSON.parse(text)))),
});
