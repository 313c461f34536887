/**
 * Measures the cost of a waiting agent, and how soon it goes on: `node --expose-gc test/acceptance/held-calls.mjs`, after
 * `npm ci && npx tsc -b`. Prints a table; exits 1 when a number misses its target. Run it on an otherwise idle machine.
 */
import { spawn } from 'node:child_process';
import console from 'node:console';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const AGENTS = 500;
const TARGET_KB = 20;
const TARGET_P95_MS = 150;
const TAPS = 100;
const AGENT_KEY = 'held-calls-agent-'.padEnd(40, 'a');
const OPERATOR_KEY = 'held-calls-operator-'.padEnd(40, 'o');
const require = createRequire(import.meta.url);
const DIST = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'src');

const round = process.argv[5] ?? '0';

const payloads = {
  hook: (n) => ({
    path: '/connectors/claude-code/hook',
    body: {
      session_id: `session-${n}`,
      hook_event_name: 'PreToolUse',
      permission_mode: 'default',
      cwd: '/srv/shop',
      tool_name: 'Bash',
      tool_input: { command: 'npm run deploy -- --environment production' },
      tool_use_id: `toolu_${round}_${n}`,
    },
  }),
  copilot: (n) => ({
    path: '/connectors/copilot/hook',
    body: {
      sessionId: `session-${round}-${n}`,
      timestamp: 1_796_040_601_639,
      cwd: '/srv/shop',
      toolName: 'bash',
      toolArgs: { command: 'npm run deploy -- --environment production' },
    },
  }),
  mcp: (n) => ({
    path: '/connectors/mcp',
    body: {
      jsonrpc: '2.0',
      id: n,
      method: 'tools/call',
      params: {
        name: 'approve',
        arguments: {
          tool_name: 'Bash',
          input: { command: 'npm run deploy' },
          tool_use_id: `toolu_mcp_${round}_${n}`,
        },
        _meta: { progressToken: n },
      },
    },
  }),
};

/** The agents, in a process of their own: holds the calls and says when each is answered. */
async function agents(url, kind) {
  const { request } = await import('node:http');
  for (let n = 0; n < AGENTS; n++) {
    const { path, body } = payloads[kind](n);
    const call = request(`${url}${path}`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${AGENT_KEY}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
    });
    call.on('response', (response) => {
      response.resume();
      response.on('end', () => console.log(`answered ${n} ${performance.timeOrigin + performance.now()}`));
    });
    call.end(JSON.stringify(body));
    if (n % 50 === 49) await sleep(50);
  }
}

let rounds = 0;

async function until(what, condition) {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return;
    await sleep(100);
  }
  throw new Error(`not in a minute: ${what}`);
}

async function call(url, key, method, path, body) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return response.json();
}

async function used() {
  for (let n = 0; n < 5; n++) {
    globalThis.gc();
    await sleep(200);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measure(url, kind) {
  const held = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return {
      calls: Number(new RegExp(`^connector_waiting\\{connector="${kind}"\\} (\\d+)`, 'm').exec(text)?.[1]),
      waiters: Number(/^escalation_waiters (\d+)/m.exec(text)?.[1]),
    };
  };
  await held();
  const before = await used();
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), 'agents', url, kind, String((rounds += 1))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const answeredAt = new Map();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, n, at] = line.split(' ');
    answeredAt.set(Number(n), Number(at));
  });
  // Those that still ask hold more than those that wait.
  await until('all wait', async () => (await held()).waiters === AGENTS);
  const kilobytes = ((await used()) - before) / AGENTS / 1024;

  const { items } = await call(url, OPERATOR_KEY, 'GET', '/api/approvals?status=pending&limit=200');
  const delays = [];
  for (const { id, toolUseId, sessionId } of items.slice(0, TAPS)) {
    const n = Number((toolUseId ?? sessionId).split(/[_-]/).at(-1));
    const at = performance.timeOrigin + performance.now();
    await call(url, OPERATOR_KEY, 'POST', `/api/approvals/${id}/decision`, { decision: 'approved' });
    await until('it goes on', () => answeredAt.has(n));
    delays.push(answeredAt.get(n) - at);
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  await until('all are gone', async () => (await held()).calls === 0);
  await until('nothing is open', async () => {
    const left = await call(url, OPERATOR_KEY, 'GET', '/api/approvals?status=pending&limit=1');
    return left.items.length === 0;
  });
  delays.sort((a, b) => a - b);
  return { kilobytes, p95: delays[Math.floor(delays.length * 0.95)] };
}

async function main() {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-held-calls-'));
  // Where root runs this, PostgreSQL's user must be able to pass.
  chmodSync(dataDir, 0o711);
  const { startApp } = require(join(DIST, 'app.js'));
  const { parseConfig } = require(join(DIST, 'config/environment.js'));
  const { createLog } = require(join(DIST, 'logging/log.js'));
  const config = parseConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    AGENT_API_KEY: AGENT_KEY,
    OPERATOR_API_KEY: OPERATOR_KEY,
    RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
    APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
    APPROVAL_MAX_PENDING_PER_AGENT: '100000',
    HTTP_MAX_WAITING_PER_KEY: '1000000',
    RATE_LIMIT_AGENT_PER_MINUTE: '1000000',
    RATE_LIMIT_OPERATOR_PER_MINUTE: '1000000',
  });
  const app = await startApp(config, createLog(config.log, { write: () => undefined }));
  let missed = 0;
  const row = (name, value, target) => {
    const ok = value <= target;
    if (!ok) missed += 1;
    console.log(`${name.padEnd(44)} ${value.toFixed(1).padStart(8)}  ≤ ${target}  ${ok ? 'ok' : 'MISSED'}`);
  };
  try {
    // Once for nothing: what is allocated on the first calls is not what a waiter costs.
    for (const kind of Object.keys(payloads)) await measure(app.url, kind);
    for (const kind of Object.keys(payloads)) {
      const { kilobytes, p95 } = await measure(app.url, kind);
      row(`${kind}: KB for each of ${AGENTS} waiting agents`, kilobytes, TARGET_KB);
      row(`${kind}: ms from decision to answer, p95`, p95, TARGET_P95_MS);
    }
  } finally {
    await app.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
  process.exit(missed > 0 ? 1 : 0);
}

if (process.argv[2] === 'agents') await agents(process.argv[3], process.argv[4]);
else await main();
