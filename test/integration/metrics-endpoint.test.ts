import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../support/api';
import { AGENT_KEY, OPERATOR_KEY } from '../support/app';
import { createTestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { ownService } from '../support/own-service';
import { Scrape } from '../support/scrape';
import { startTcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
/** promtool refuses the type in a name, and this name is fixed by others' dashboards. Everything else must be clean. */
const NAME_FIXED_BY_OTHERS =
  "escalation_queue_depth_histogram metric name should not include type 'histogram'";

const service = ownService();

describe('who may scrape', () => {
  it('anyone, where HOST is loopback', async () => {
    const answer = await fetch(`${service.app.url}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('only operators and observers, where it is not', async () => {
    const open = await openTestApp(service.database.url, { HOST: '0.0.0.0' });
    try {
      const statusWith = async (headers: Record<string, string>) =>
        (await fetch(`${open.url}/metrics`, { headers })).status;
      expect(await statusWith({})).toBe(401);
      expect(await statusWith(bearer(AGENT_KEY))).toBe(403);
      expect(await statusWith(bearer(OPERATOR_KEY))).toBe(200);
    } finally {
      await open.close();
    }
  });

  it('anyone, where METRICS_PUBLIC says so', async () => {
    const open = await openTestApp(service.database.url, { HOST: '0.0.0.0', METRICS_PUBLIC: 'true' });
    try {
      expect((await fetch(`${open.url}/metrics`)).status).toBe(200);
    } finally {
      await open.close();
    }
  });
});

describe('the text', () => {
  it('is clean by the rules of promtool', async () => {
    if (spawnSync('promtool', ['--version']).error) {
      console.warn('promtool is not installed: the rules of Prometheus were NOT checked');
      return;
    }
    const { text } = await Scrape.of(service.app.url);
    const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect(`${stdout}${stderr}`.trim().split('\n')).toEqual([NAME_FIXED_BY_OTHERS]);
  });

  it('says what runs here, and how its event loop and its pool are', async () => {
    const scrape = await Scrape.of(service.app.url);
    const version = (
      JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string }
    ).version;
    expect(scrape.value('countersign_build_info', { version, node: process.version })).toBe(1);
    expect(scrape.value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
    expect(scrape.value('database_pool_connections_max')).toBe(service.app.config.database.poolSize);
    expect(scrape.value('database_up')).toBe(1);
    expect(scrape.value('circuit_breaker_state', { state: 'closed' })).toBe(1);
  });

  it('times requests by the template of their route, and all unknown ones as one', async () => {
    const request = { method: 'GET', route: '/api/approvals/:id', held: 'false' };
    const before = await Scrape.of(service.app.url);
    for (let n = 0; n < 3; n++) await service.api.get(`00000000-0000-7000-8000-00000000000${n}`);
    for (let n = 0; n < 3; n++) await fetch(`${service.app.url}/no/such/place/${n}`, { method: 'DELETE' });
    // An answer is timed after it was sent, so the scrape may come first.
    const after = await until('six requests more', async () => {
      const scrape = await Scrape.of(service.app.url);
      const grown = (labels: Record<string, string>) =>
        scrape.sum('http_requests_total', labels) - before.sum('http_requests_total', labels);
      return grown({ route: '/api/approvals/:id', status: '4xx' }) === 3 && grown({ route: 'other' }) === 3
        ? scrape
        : null;
    });
    expect(
      after.value('http_request_duration_seconds_count', request) -
        before.value('http_request_duration_seconds_count', request),
    ).toBe(3);
    expect(
      after.samples.flatMap(({ labels }) => labels.route ?? []).filter((r) => r.includes('such')),
    ).toEqual([]);
  });

  it('keeps callers that asked to wait apart from slow answers', async () => {
    const { body } = await service.api.enqueue();
    const waiting = service.api.get(body.id, 30);
    await until('a waiter', async () => (await Scrape.of(service.app.url)).value('escalation_waiters') === 1);
    await service.api.decide(body.id, 'approved');
    await waiting;
    const held = { method: 'GET', route: '/api/approvals/:id', held: 'true' };
    await until(
      'the held answer to be timed',
      async () => (await Scrape.of(service.app.url)).find('http_request_duration_seconds_count', held) === 1,
    );
  });
});

describe('the size of the queue', () => {
  it('is the same on every replica and after a restart', async () => {
    const own = await createTestDatabase();
    const first = await openTestApp(own.url);
    const second = await openTestApp(own.url);
    const asking = new Api(first.url);
    for (let n = 0; n < 3; n++) await asking.enqueue();
    const sizeOn = async ({ url }: OpenApp) => (await Scrape.of(url)).value('escalation_queue_size');
    for (const replica of [first, second])
      await until('three on each replica', async () => (await sizeOn(replica)) === 3);
    expect((await Scrape.of(second.url)).value('escalation_queue_enqueue_total')).toBe(0);
    await first.close();
    const restarted = await openTestApp(own.url);
    expect(await sizeOn(restarted)).toBe(3);
    await new Api(restarted.url).enqueue();
    expect((await Scrape.of(restarted.url)).value('escalation_queue_depth_histogram_sum')).toBe(4);
    await restarted.close();
    await second.close();
    await own.drop();
  });

  it('is left out while the database is away, and everything else is still told', async () => {
    const proxy = await startTcpProxy(service.database.url);
    const cut = await openTestApp(proxy.url);
    try {
      proxy.cut();
      const away = await until('the database to be missed', async () => {
        const scrape = await Scrape.of(cut.url);
        return scrape.value('database_up') === 0 && scrape;
      });
      expect(away.find('escalation_queue_size')).toBeUndefined();
      expect(away.find('escalation_outbox_depth')).toBeUndefined();
      expect(away.value('escalation_queue_enqueue_total')).toBe(0);
      proxy.mend();
      await until(
        'the size again',
        async () => (await Scrape.of(cut.url)).find('escalation_queue_size') !== undefined,
      );
    } finally {
      await cut.close();
      await proxy.close();
    }
  });
});
