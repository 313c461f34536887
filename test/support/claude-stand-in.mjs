#!/usr/bin/env node
/**
 * Claude Code's side of the stdio control protocol, as observed with the real CLI, and strict: whatever the other side says
 * wrong ends it with code 70. It plays the script in the file STAND_IN and writes what it heard to the file STAND_IN_LOG.
 */
import { execFileSync } from 'node:child_process';
import console from 'node:console';
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** @type {{calls?: {tool?: string, input: object, id?: string, requestId?: string, line?: string}[], parallel?: boolean, exitCode?: number, loggedOut?: boolean}} */
const script = JSON.parse(readFileSync(process.env.STAND_IN, 'utf8'));
const args = process.argv.slice(2);
const resumed = args.indexOf('--resume');
const sessionId = resumed === -1 ? randomUUID() : args[resumed + 1];
const open = new Map();
const denials = [];

const note = (entry) => appendFileSync(process.env.STAND_IN_LOG, `${JSON.stringify(entry)}\n`);
const say = (message) => console.log(JSON.stringify({ session_id: sessionId, ...message }));

function violation(what) {
  note({ violation: what });
  console.error(`stand-in: ${what}`);
  process.exit(70);
}

const settings = JSON.parse(args[args.indexOf('--settings') + 1] ?? '{}');
note({ args, env: Object.keys(process.env), cwd: process.cwd() });
for (const flag of [
  '-p',
  '--verbose',
  '--output-format stream-json',
  '--input-format stream-json',
  '--permission-prompt-tool stdio',
  '--permission-mode default',
]) {
  if (!args.join(' ').includes(flag)) violation(`${flag} is missing`);
}
if (settings.permissions?.ask?.[0] !== '*') violation('not every tool would be asked for');

/** Asks for one call, and runs it when it may. */
async function use({ tool = 'Bash', input, id = `toolu_${randomUUID()}`, requestId = randomUUID(), line }) {
  say({
    type: 'assistant',
    message: { role: 'assistant', content: [{ type: 'tool_use', id, name: tool, input }] },
  });
  const answered = new Promise((answer) => open.set(requestId, answer));
  const request = {
    subtype: 'can_use_tool',
    tool_name: tool,
    input,
    permission_suggestions: [],
    tool_use_id: id,
  };
  if (line) console.log(line.replace('REQUEST', requestId));
  else say({ type: 'control_request', request_id: requestId, request });
  const { behavior, updatedInput, message } = await answered;
  let content = message;
  if (behavior === 'allow') content = execFileSync('/bin/sh', ['-c', updatedInput.command]).toString();
  else denials.push({ tool_name: tool, tool_use_id: id, tool_input: input });
  const result = { type: 'tool_result', tool_use_id: id, content, is_error: behavior !== 'allow' };
  say({ type: 'user', message: { role: 'user', content: [result] } });
}

async function play() {
  say({ type: 'system', subtype: 'init', cwd: process.cwd(), permissionMode: 'default' });
  if (script.loggedOut) return end(true, 'Not logged in · Please run /login', 1);
  if (script.parallel) await Promise.all(script.calls.map(use));
  else for (const call of script.calls ?? []) await use(call);
  say({ type: 'assistant', message: { role: 'assistant', content: [{ type: 'text', text: 'All done.' }] } });
  end(false, 'All done.', script.exitCode ?? 0);
}

function end(failed, result, code) {
  process.exitCode = code;
  say({
    type: 'result',
    subtype: failed ? 'error_during_execution' : 'success',
    is_error: failed,
    result,
    permission_denials: denials,
  });
}

let playing;

function hear(line) {
  const heard = JSON.parse(line);
  note({ atMs: Date.now(), heard });
  // Later messages only stand beside the results of tools.
  if (heard.type === 'user') return void (playing ??= play());
  const { subtype, request_id: requestId, response } = heard.response ?? {};
  const answer = open.get(requestId);
  if (heard.type !== 'control_response' || subtype !== 'success') violation('not a control response');
  if (!answer) violation(`an answer to ${requestId}, which is not open`);
  const members = Object.keys(response).join();
  if (members !== (response.behavior === 'allow' ? 'behavior,updatedInput' : 'behavior,message'))
    violation(members);
  open.delete(requestId);
  answer(response);
}

process.on('SIGINT', () => {
  for (const requestId of open.keys()) say({ type: 'control_cancel_request', request_id: requestId });
  open.clear();
  end(true, 'interrupted', 0);
});
process.on('SIGTERM', () => process.exit(143));
createInterface({ input: process.stdin })
  .on('line', hear)
  .on('close', () => process.exit());
