#!/usr/bin/env node
/**
 * An agent's side of the Agent Client Protocol, strict: whatever the other side says wrong ends it with code 70. It plays
 * the script in the file STAND_IN and writes what it heard to the file STAND_IN_LOG.
 */
import { execFileSync } from 'node:child_process';
import console from 'node:console';
import { appendFileSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';

const ONCE = [
  { optionId: 'once', name: 'Allow once', kind: 'allow_once' },
  { optionId: 'always', name: 'Always allow', kind: 'allow_always' },
  { optionId: 'no', name: 'Reject', kind: 'reject_once' },
  { optionId: 'never', name: 'Always reject', kind: 'reject_always' },
];

/**
 * @typedef {{command?: string, toolCall?: object, announced?: object, announcedAs?: string, options?: object[], id?: string | number,
 *   line?: string, late?: boolean, cancelled?: boolean}} Call
 * @type {{calls?: Call[], parallel?: boolean, sessionId?: string, version?: number, ends?: number, unasked?: object[],
 *   modes?: object, says?: string, plan?: object[]}}
 */
const script = JSON.parse(readFileSync(process.env.STAND_IN, 'utf8'));
const sessionId = script.sessionId ?? 'session-1';
const open = new Map();
let questions = 0;
let turn = null;

const note = (entry) => appendFileSync(process.env.STAND_IN_LOG, `${JSON.stringify(entry)}\n`);
const say = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
const update = (content) => say({ method: 'session/update', params: { sessionId, update: content } });

function violation(what) {
  note({ violation: what });
  console.error(`stand-in: ${what}`);
  process.exit(70);
}

/** Asks for one call, and runs its command when it may. */
async function use(
  { command, toolCall, announced, announcedAs, options = ONCE, id, line, late, cancelled },
  n,
) {
  const toolCallId = `call_${n}`;
  const asked = { toolCallId, title: command, kind: 'execute', rawInput: { command }, ...toolCall };
  const announce = () => {
    if (announcedAs) console.log(announcedAs);
    else update({ sessionUpdate: 'tool_call', toolCallId, title: 'A call', status: 'pending', ...announced });
  };
  if ((announced || announcedAs) && !late) announce();
  const requestId = id ?? (questions += 1);
  const answered = new Promise((answer) => open.set(requestId, { answer, options }));
  const params = { sessionId, toolCall: asked, options };
  if (line) console.log(line.replace('"REQUEST"', JSON.stringify(requestId)));
  else say({ id: requestId, method: 'session/request_permission', params });
  if ((announced || announcedAs) && late) announce();
  if (cancelled) say({ method: '$/cancel_request', params: { requestId } });
  const chosen = await answered;
  const ran = chosen?.kind === 'allow_once';
  if (ran && command) execFileSync('/bin/sh', ['-c', command]);
  update({ sessionUpdate: 'tool_call_update', toolCallId, status: ran ? 'completed' : 'failed' });
}

async function play(request) {
  turn = { request, isCancelled: false };
  if (script.says)
    update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: script.says } });
  if (script.plan) update({ sessionUpdate: 'plan', entries: script.plan });
  for (const [i, unasked] of (script.unasked ?? []).entries()) say({ id: `unasked-${i}`, ...unasked });
  const calls = (script.calls ?? []).entries();
  if (script.parallel) await Promise.all([...calls].map(([i, call]) => use(call, i)));
  else for (const [i, call] of calls) if (!turn.isCancelled) await use(call, i);
  if (script.ends !== undefined) process.exit(script.ends);
  say({ id: request, result: { stopReason: turn.isCancelled ? 'cancelled' : 'end_turn' } });
  turn = null;
}

const HANDLERS = {
  initialize({ protocolVersion, clientCapabilities }) {
    const { fs = {}, terminal } = clientCapabilities ?? {};
    if (fs.writeTextFile === true || terminal === true) violation('files or terminals are offered');
    return {
      protocolVersion: script.version ?? protocolVersion,
      agentCapabilities: { loadSession: true, sessionCapabilities: {} },
    };
  },
  'session/new': () => ({ sessionId, ...(script.modes ? { modes: script.modes } : {}) }),
  'session/load': () => ({}),
  'session/set_mode': () => ({}),
};

function take({ id, result, error }) {
  if (typeof id === 'string' && id.startsWith('unasked-')) return;
  const question = open.get(id);
  if (!question) violation(`an answer to ${JSON.stringify(id)}, which is not open`);
  open.delete(id);
  if (error) violation(`an error: ${JSON.stringify(error)}`);
  const { outcome } = result;
  const members = Object.keys(outcome).join();
  if (members !== (outcome.outcome === 'selected' ? 'outcome,optionId' : 'outcome')) violation(members);
  const chosen = question.options.find(({ optionId }) => optionId === outcome.optionId);
  if (outcome.outcome === 'selected' && !/^(allow|reject)_once$/.test(chosen?.kind))
    violation('not an answer for once');
  if (turn?.isCancelled && outcome.outcome !== 'cancelled')
    violation('a decision after the turn was cancelled');
  question.answer(chosen);
}

function hear(line) {
  const heard = JSON.parse(line);
  note({ atMs: Date.now(), heard });
  if (heard.method === undefined) return take(heard);
  if (heard.method === 'session/prompt') return void play(heard.id);
  if (heard.method === 'session/cancel') {
    if (turn) turn.isCancelled = true;
    return;
  }
  const handler = HANDLERS[heard.method];
  if (!handler) violation(`${heard.method} is not known`);
  say({ id: heard.id, result: handler(heard.params) });
}

note({ args: process.argv.slice(2), env: Object.keys(process.env), cwd: process.cwd() });
process.on('SIGTERM', () => process.exit(143));
createInterface({ input: process.stdin })
  .on('line', hear)
  .on('close', () => process.exit());
