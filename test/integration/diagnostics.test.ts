import { CircuitBreakerService } from '../../src/resilience/circuit-breaker';
import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';
import { Api } from '../support/api';
import { BOT_TOKEN, telegramEnvironment } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { SandboxClient } from '../support/sandbox-client';
import { Scrape } from '../support/scrape';
import { startTcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

const A_NUMBER: unknown = expect.any(Number);
const A_STRING: unknown = expect.any(String);

interface BreakerJson {
  readonly replica: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

interface TelegramJson {
  readonly mode: string;
  readonly lastCompletedPollAt: string | null;
  readonly leaseHolder: { readonly replica: string } | null;
  readonly lastError: { readonly method: string; readonly reason: string } | null;
  readonly replica: string;
}

const read = async <Body>({ url }: OpenApp, what: string) =>
  (await new Api(url).call<Body>('operator', 'GET', `/api/diagnostics/${what}`)).body;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('without Telegram', () => {
  let app: OpenApp;
  let api: Api;

  beforeAll(async () => {
    app = await openTestApp(database.url);
    api = new Api(app.url);
  });
  afterAll(() => app.close());

  it.each(['metrics', 'database', 'telegram', 'circuit-breaker'])(
    '%s is for operators only',
    async (what) => {
      expect((await api.call(null, 'GET', `/api/diagnostics/${what}`)).status).toBe(401);
      expect((await api.call('agent', 'GET', `/api/diagnostics/${what}`)).status).toBe(403);
      expect((await api.call('operator', 'GET', `/api/diagnostics/${what}`)).status).toBe(200);
    },
  );

  it('metrics has the sixteen in their categories, with the numbers of a scrape', async () => {
    const { body } = await api.enqueue();
    await api.decide(body.id, 'approved');
    await api.enqueue();
    const scrape = await until('the second request', async () => {
      const seen = await Scrape.of(app.url);
      return seen.find('escalation_queue_size') === 1 && seen;
    });
    const histogram = { count: A_NUMBER, sum: A_NUMBER, p50: A_NUMBER };
    expect(await read(app, 'metrics')).toMatchObject({
      escalationQueue: {
        escalation_queue_size: 1,
        escalation_queue_enqueue_total: scrape.value('escalation_queue_enqueue_total'),
        escalation_queue_dequeue_total: scrape.value('escalation_queue_dequeue_total'),
        escalation_queue_depth_histogram: {
          ...histogram,
          sum: scrape.value('escalation_queue_depth_histogram_sum'),
        },
      },
      approvalStatistics: {
        escalation_approvals_accepted_total: 1,
        escalation_approvals_rejected_total: 0,
        escalation_approvals_timeout_total: 0,
        escalation_response_time_seconds: {
          ...histogram,
          count: 1,
          sum: scrape.value('escalation_response_time_seconds_sum'),
        },
      },
      telegramApi: {
        telegram_api_requests_total: 0,
        telegram_api_failures_total: 0,
        telegram_api_retry_attempts_total: 0,
        telegram_api_duration_seconds: { count: 0, sum: 0, p50: 0, p95: 0, p99: 0 },
      },
      systemHealth: {
        approval_timeout_service_health: 1,
        telegram_service_health: 0,
        escalation_initializations_total: 2,
        escalation_completions_total: 1,
      },
      generatedAt: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
  });

  it('database tells pool, migrations, size and round trip', async () => {
    expect(await read(app, 'database')).toMatchObject({
      reachable: true,
      error: null,
      pool: { max: app.config.database.poolSize, total: A_NUMBER, waiting: 0 },
      migrations: {
        applied: expect.arrayContaining(['CreateApprovals1795464000000']) as unknown,
        pending: [],
      },
      sizeBytes: A_NUMBER,
      roundTripMs: A_NUMBER,
    });
  });

  it('database answers while the database is away', async () => {
    const proxy = await startTcpProxy(database.url);
    const cut = await openTestApp(proxy.url);
    try {
      proxy.cut();
      expect(await read(cut, 'database')).toMatchObject({
        reachable: false,
        error: expect.stringContaining('does not answer') as unknown,
        pool: { max: cut.config.database.poolSize },
        migrations: null,
        roundTripMs: null,
      });
      expect(await read(cut, 'metrics')).toHaveProperty('escalationQueue.escalation_queue_enqueue_total', 0);
      proxy.mend();
    } finally {
      await cut.close();
      await proxy.close();
    }
  });

  it('telegram says that it is off', async () => {
    expect(await read(app, 'telegram')).toMatchObject({ mode: 'off', leaseHolder: null, lastError: null });
  });

  it('circuit-breaker can be moved by operators, on this replica, and it is logged who did', async () => {
    const post = (role: 'agent' | 'operator', body: object) =>
      api.call<BreakerJson>(role, 'POST', '/api/diagnostics/circuit-breaker', body);
    const idle = await read<BreakerJson>(app, 'circuit-breaker');
    expect(idle).toEqual({
      replica: A_STRING,
      state: 'closed',
      consecutiveFailures: 0,
      totalFailures: 0,
      totalSuccesses: 0,
      failureRate: 0,
      openedAt: null,
      nextAttemptAt: null,
    });
    expect((await post('agent', { action: 'open' })).status).toBe(403);
    expect((await post('operator', { action: 'explode' })).status).toBe(400);
    const opened = await post('operator', { action: 'open' });
    expect(opened).toMatchObject({
      status: 200,
      body: { replica: idle.replica, state: 'open', openedAt: A_STRING, nextAttemptAt: null },
    });
    expect((await Scrape.of(app.url)).value('circuit_breaker_state', { state: 'open' })).toBe(1);
    expect((await post('operator', { action: 'close' })).body.state).toBe('closed');
    expect((await post('operator', { action: 'reset' })).body).toEqual(idle);
    expect(app.events.filter(({ event }) => event === 'breaker.forced')).toMatchObject([
      { action: 'open', by: 'bootstrap-operator' },
      { action: 'close' },
      { action: 'reset' },
    ]);
  });
});

describe('with Telegram', () => {
  let sandbox: RunningSandbox;
  let app: OpenApp;

  beforeAll(async () => {
    sandbox = await startSandbox({ port: 0 });
    app = await openTestApp(database.url, telegramEnvironment(sandbox.url));
  });
  afterAll(async () => {
    await app.close();
    await sandbox.close();
  });

  it('tells who polls, when the last poll ended, and the last failure without what was sent', async () => {
    const chat = new SandboxClient(sandbox.url);
    await chat.say('/whoami');
    const polled = await until('a completed poll', async () => {
      const report = await read<TelegramJson>(app, 'telegram');
      return report.lastCompletedPollAt !== null && report;
    });
    expect(polled).toMatchObject({ mode: 'polling', leaseHolder: { replica: polled.replica } });
    await chat.fault({ method: 'sendMessage', count: 1, status: 502 });
    await new Api(app.url).enqueue();
    const failed = await until('a failure', async () => {
      const report = await read<TelegramJson>(app, 'telegram');
      return report.lastError?.method === 'sendMessage' && report;
    });
    expect(failed.lastError).toMatchObject({ reason: 'server-error', at: A_STRING });
    expect(JSON.stringify(failed)).not.toContain(BOT_TOKEN.split(':')[1]);
  });

  it('shows and moves the very breaker that guards the calls', async () => {
    const api = new Api(app.url);
    await api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'open' });
    expect(app.get(CircuitBreakerService).state).toBe('open');
    await api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'close' });
    expect(app.get(CircuitBreakerService).state).toBe('closed');
  });
});
