/**
 * Measures the cost of metrics and logs: `node test/acceptance/observability.mjs`, after `npm ci && npx tsc -b`. Prints a table; exits 1 when a number misses its target. Run it on an otherwise idle machine.
 */
import console from 'node:console';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const ours = (path) => require(join(CHECKOUT, 'dist/src', path));

require('reflect-metadata');
const { NestFactory } = require('@nestjs/core');
const pg = require('pg');
const { AppModule } = ours('app.module.js');
const { ApprovalEnqueued } = ours('approvals/approval-events.js');
const { parseConfig } = ours('config/environment.js');
const { locateDatabase } = ours('database/database-location.js');
const { migrate } = ours('database/migrations.js');
const { createHttpAdapter } = ours('http/adapter.js');
const { createLog } = ours('logging/log.js');
const { createRedactor } = ours('logging/redact.js');
const { MetricsRecorder } = ours('metrics/metrics-recorder.js');
const { NoTracing } = ours('tracing/tracing.js');

const ROWS = 100_000;
const PENDING = 1_000;
const AGENTS = 10_000;
const SCRAPES = 10;
/** A scrape shares what was read from the database in the last second; these shall not. */
const BETWEEN_SCRAPES_MS = 1_100;
const AGENT_KEY = 'agent-'.padEnd(40, 'k');

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The fastest of several rounds, in milliseconds for each call: another process on the machine is not our cost. */
async function perCallMs(calls, call) {
  const rounds = [];
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    for (let n = 0; n < calls; n++) await call(n);
    rounds.push((performance.now() - startedAt) / calls);
  }
  return Math.min(...rounds);
}

async function fill(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `insert into approvals (id, status, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at,
       expires_at, settled_at, settled_by_kind, settled_by_id, settled_by_name)
     select gen_random_uuid(), case when pending then 'pending' else 'approved' end, 'k', 'agent-' || n % $3, 's',
       '{"agentId":"a","sessionId":"s","toolName":"Bash","toolInput":{},"toolUseId":null,"summary":null,"cwd":null,"metadata":{}}',
       'sha256:0', 'c', now() - n * interval '1 second', now() + interval '1 hour',
       case when pending then null else now() end, case when pending then null else 'api' end,
       case when pending then null else 'o' end, case when pending then null else 'o' end
     from (select n, n <= $2 as pending from generate_series(1, $1::int) as n) as rows`,
    [ROWS, PENDING, AGENTS],
  );
  await client.query('vacuum analyze approvals');
  await client.end();
}

async function scrape(url) {
  const startedAt = performance.now();
  const text = await (await globalThis.fetch(`${url}/metrics`)).text();
  const ms = performance.now() - startedAt;
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { ms, series: new Set(samples.map((line) => line.slice(0, line.lastIndexOf(' ')))) };
}

async function ask(url, agent) {
  const response = await globalThis.fetch(`${url}/api/approvals`, {
    method: 'POST',
    headers: { authorization: `Bearer ${AGENT_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ agentId: agent, sessionId: agent, toolName: agent, toolInput: {} }),
  });
  if (response.status !== 201) throw new Error(`asking was answered with ${response.status}`);
  await response.arrayBuffer();
}

async function measure(dataDir) {
  const config = parseConfig({
    DATA_DIR: dataDir,
    PORT: '0',
    AGENT_API_KEY: AGENT_KEY,
    RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
    APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
    APPROVAL_MAX_PENDING_PER_AGENT: '1000000',
    HTTP_MAX_WAITING_PER_KEY: '1000000',
    RATE_LIMIT_AGENT_PER_MINUTE: '10000000',
  });
  const log = createLog({ level: 'warn', format: 'json' });
  const location = await locateDatabase(config, log);
  try {
    await migrate(location.ownerUrl, location.url);
    await fill(location.ownerUrl);
    const app = await NestFactory.create(AppModule.with(config, log, location), createHttpAdapter(), {
      logger: false,
      bodyParser: false,
    });
    await app.listen(0, '127.0.0.1');
    try {
      return await measureApp(app);
    } finally {
      await app.close();
    }
  } finally {
    await location.close();
  }
}

async function measureApp(app) {
  const url = await app.getUrl();
  await ask(url, 'the-first');
  await scrape(url);
  const scrapes = [];
  for (let n = 0; n < SCRAPES; n++) {
    await sleep(BETWEEN_SCRAPES_MS);
    scrapes.push(await scrape(url));
  }
  for (let n = 0; n < AGENTS; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, m) => ask(url, `agent-${n + m}`)));
  await sleep(BETWEEN_SCRAPES_MS);
  const after = await scrape(url);

  // The runtime has a series for each kind of collection, from the first one on, whoever asks.
  const added = [...after.series]
    .filter((name) => !scrapes[0].series.has(name))
    .filter((name) => !name.startsWith('nodejs_gc_duration_seconds'));
  for (const name of added) console.log(`new: ${name}`);

  const recorder = app.get(MetricsRecorder, { strict: false });
  const enqueued = new ApprovalEnqueued({ id: '', status: 'pending' });
  const recording = await perCallMs(20_000, () => recorder.record(enqueued));

  const tracing = new NoTracing();
  const work = () => Promise.resolve();
  const bare = await perCallMs(200_000, () => work());
  const off = await perCallMs(200_000, () => tracing.call('name', { retry: false }, work));

  const redact = createRedactor([AGENT_KEY]);
  const line = JSON.stringify({
    level: 'info',
    time: new Date().toISOString(),
    correlationId: '0190a000-0000-7000-8000-000000000000',
    event: 'escalation.card-sent',
    approvalId: '0190a000-0000-7000-8000-000000000000',
    messageId: '123',
    msg: 'the card is in the chat',
  });
  const redaction = await perCallMs(50_000, () => redact(line));
  return [
    {
      what: `scrape with ${ROWS} rows, median`,
      value: median(scrapes.map(({ ms }) => ms)),
      target: 50,
      unit: 'ms',
    },
    {
      what: 'the same, slowest of ten',
      value: Math.max(...scrapes.map(({ ms }) => ms)),
      target: 50,
      unit: 'ms',
    },
    {
      what: `series that ${AGENTS} agents add to ${scrapes[0].series.size}`,
      value: added.length,
      target: 0,
      unit: '',
    },
    { what: 'recording one event', value: recording, target: 0.1, unit: 'ms' },
    { what: 'a span while tracing is off', value: 1000 * Math.max(0, off - bare), target: 1, unit: 'µs' },
    {
      what: `redacting a line of ${line.length} characters without secrets`,
      value: 1000 * redaction,
      target: 10,
      unit: 'µs',
    },
  ];
}

const directory = mkdtempSync(join(tmpdir(), 'countersign-observability-'));
// Where root runs this, PostgreSQL's user must be able to pass.
chmodSync(directory, 0o711);
try {
  const rows = await measure(join(directory, 'data'));
  console.log('| number | measured | at most | |\n|---|---|---|---|');
  for (const { what, value, target, unit } of rows) {
    const verdict = value <= target ? 'ok' : 'MISSED';
    console.log(`| ${what} | ${Number(value.toPrecision(3))} ${unit} | ${target} ${unit} | ${verdict} |`);
  }
  if (rows.some(({ value, target }) => value > target)) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
