#!/usr/bin/env node
// Stands in for Claude Code as far as `countersign connect` sees it: it reads the settings of its user, asks its model for
// one call, and calls the hooks before it runs that.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { HOME, ANTHROPIC_BASE_URL } = process.env;

if (process.argv.includes('--version')) {
  console.log('9.9.9 (stand-in)');
  process.exit(0);
}

function settings() {
  try {
    return JSON.parse(readFileSync(join(HOME, '.claude', 'settings.json'), 'utf8'));
  } catch {
    return {};
  }
}

/** The input of the tool call in the events of the model. */
async function callOfModel() {
  const answer = await fetch(`${ANTHROPIC_BASE_URL}/v1/messages`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', tools: [{}], messages: [{ role: 'user', content: 'go' }] }),
  });
  const json = /"partial_json":("(?:[^"\\]|\\.)*")/.exec(await answer.text())?.[1];
  return JSON.parse(JSON.parse(json));
}

/** True if a hook denies, or fails where it may not. */
async function isDenied(hook, input) {
  const headers = Object.entries(hook.headers ?? {}).map(([name, value]) => [
    name,
    value.replace(/\$(\w+)/g, (_, variable) => process.env[variable] ?? ''),
  ]);
  try {
    const answer = await fetch(hook.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...Object.fromEntries(headers) },
      body: JSON.stringify({
        hook_event_name: 'PreToolUse',
        session_id: `stand-in-${process.pid}`,
        tool_use_id: 'call_0',
        tool_name: 'Bash',
        tool_input: input,
        cwd: process.cwd(),
        permission_mode: 'default',
      }),
    });
    return (await answer.json()).hookSpecificOutput.permissionDecision === 'deny';
  } catch {
    return hook.onFailure === 'block';
  }
}

const input = await callOfModel();
const { hooks = {}, disableAllHooks } = settings();
const gates = disableAllHooks ? [] : (hooks.PreToolUse ?? []).flatMap((group) => group.hooks);
for (const gate of gates) if (await isDenied(gate, input)) process.exit(0);
spawnSync('sh', ['-c', input.command]);
