/**
 * Counts the taps of the recorded week without any rule: alone, with grants, with turns, and with both. Prints a table, and is
 * no assertion: `npm run taps`.
 *
 * The operator of the model grants as a careful person would: for an hour, and only where the scope repeats within it; the
 * widest offer that covers no call that a person of the week rejected. A grant costs two taps. A rejection ends the grants of its
 * session. A turn is the calls of one session that come within a second of each other and wait together: one tap approves
 * them, and what is rejected costs its own. The recording has no such calls, because its agents waited for each answer; the last
 * rows count calls that follow each other within twenty seconds, as if agents asked for them together.
 */
import console from 'node:console';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const compiled = createRequire(join(HERE, '..', '..', 'dist', 'src', 'index.js'));
const { inputDigest } = compiled('./kernel/canonical-json.js');
const { covers, findOffers } = compiled('./policy/grants/offers.js');
const { TOOL_SHAPES } = compiled('./agents/adapters.js');

const GRANT_MS = 3_600_000;
const TAPS_OF_A_GRANT = 2;

const week = readFileSync(join(HERE, 'recorded-week.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .map(({ at, agent, key, session, cwd, toolName, toolInput, verdict }) => ({
    atMs: Date.parse(at),
    isRejected: verdict === 'rejected',
    digest: inputDigest({ toolName, toolInput, cwd }),
    request: {
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
    },
  }))
  .toSorted((one, other) => one.atMs - other.atMs);

const isCovered = ({ tool, scope }, { request, digest }) =>
  tool === request.toolName &&
  (scope.kind === 'exact' ? scope.inputDigest === digest : covers(scope, request, TOOL_SHAPES));

/** The calls of each session, in order. */
const sessions = new Map();
for (const call of week) {
  const name = `${call.request.key} ${call.request.sessionId}`;
  sessions.set(name, [...(sessions.get(name) ?? []), call]);
}

/** The grant that a careful person would make from a call; null: it saves nothing, or covers what somebody rejected. */
function grantFrom(calls, at) {
  const call = calls[at];
  const offers = findOffers(call.request, call.digest, TOOL_SHAPES).toReversed();
  const safe = offers
    .map(({ scope }) => ({ scope, tool: call.request.toolName, endsMs: call.atMs + GRANT_MS }))
    .find((grant) => !calls.some((each) => each.isRejected && isCovered(grant, each)));
  if (!safe) return null;
  const rejected = calls.findIndex((each, nth) => nth > at && each.isRejected);
  const next = calls.slice(at + 1, rejected === -1 ? undefined : rejected);
  const saved = next.filter((each) => each.atMs <= safe.endsMs && isCovered(safe, each)).length;
  return saved >= TAPS_OF_A_GRANT ? safe : null;
}

function tapsOf(calls, { grants, turnMs }) {
  let open = [];
  let taps = 0;
  let turn = null;
  for (const [at, call] of calls.entries()) {
    if (open.some((grant) => call.atMs <= grant.endsMs && !call.isRejected && isCovered(grant, call)))
      continue;
    if (call.isRejected) {
      open = [];
      turn = null;
      taps += 1;
      continue;
    }
    const joins = turn !== null && call.atMs - turn <= turnMs;
    if (joins) {
      turn = call.atMs;
      continue;
    }
    const made = grants ? grantFrom(calls, at) : null;
    if (made) {
      open.push(made);
      turn = null;
      taps += TAPS_OF_A_GRANT;
      continue;
    }
    taps += 1;
    turn = turnMs > 0 ? call.atMs : null;
  }
  return taps;
}

const count = (how) => [...sessions.values()].reduce((sum, calls) => sum + tapsOf(calls, how), 0);
const without = count({ grants: false, turnMs: 0 });
const row = (name, how) => {
  const taps = count(how);
  return `| ${name} | ${taps} | ${Math.round((100 * taps) / without)} % |`;
};

console.log(`${week.length} calls, ${sessions.size} sessions, no rule\n`);
console.log('| answered by | taps | of one tap a call |\n| --- | --- | --- |');
console.log(row('a tap each', { grants: false, turnMs: 0 }));
console.log(row('grants', { grants: true, turnMs: 0 }));
for (const seconds of [1, 20]) {
  const turnMs = seconds * 1000;
  console.log(row(`turns of calls within ${seconds} s`, { grants: false, turnMs }));
  console.log(row(`grants, and turns within ${seconds} s`, { grants: true, turnMs }));
}
