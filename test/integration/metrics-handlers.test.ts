import { Registry, type Counter } from 'prom-client';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

let database: TestDatabase;
let apps: OpenApp[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const app of apps) await app.close();
  apps = [];
  await database.drop();
});

async function start(): Promise<{ app: OpenApp; api: Api; scrape: () => Promise<Scrape> }> {
  const app = await openTestApp(database.url);
  apps.push(app);
  return { app, api: new Api(app.url), scrape: () => Scrape.of(app.url) };
}

it('a request that is stored counts once, its replays never', async () => {
  const { api, scrape } = await start();
  const key = { 'Idempotency-Key': 'once' };
  expect((await api.enqueue({}, key)).status).toBe(201);
  expect((await api.enqueue({}, key)).status).toBe(200);
  await api.enqueue({ toolName: 7 });
  const after = await scrape();
  expect(after.value('escalation_queue_enqueue_total')).toBe(1);
  expect(after.value('escalation_initializations_total')).toBe(1);
  expect(after.value('escalation_queue_depth_histogram_count')).toBe(1);
});

it('a decision counts once, however often it is sent and whatever comes after it', async () => {
  const { api, scrape } = await start();
  const { body } = await api.enqueue();
  expect((await api.decide(body.id, 'approved')).status).toBe(200);
  expect((await api.decide(body.id, 'approved')).status).toBe(200);
  expect((await api.decide(body.id, 'rejected')).status).toBe(409);
  expect((await api.cancel(body.id)).status).toBe(409);
  const after = await scrape();
  expect(after.value('escalation_approvals_accepted_total')).toBe(1);
  expect(after.value('escalation_approvals_rejected_total')).toBe(0);
  expect(after.value('escalation_queue_dequeue_total')).toBe(1);
});

it('requests at the same time are each counted, with each depth seen once', async () => {
  const { api, scrape } = await start();
  await Promise.all(Array.from({ length: 40 }, () => api.enqueue()));
  const after = await scrape();
  expect(after.value('escalation_queue_enqueue_total')).toBe(40);
  expect(after.value('escalation_queue_depth_histogram_count')).toBe(40);
  // 1 + 2 + … + 40, in whatever order they were stored.
  expect(after.value('escalation_queue_depth_histogram_sum')).toBe(820);
});

it('a settlement that two replicas race for counts once over both', async () => {
  const one = await start();
  const other = await start();
  const ids = await Promise.all(Array.from({ length: 20 }, async () => (await one.api.enqueue()).body.id));
  const answers = await Promise.all(
    ids.flatMap((id) => [one.api.decide(id, 'approved'), other.api.decide(id, 'rejected')]),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
  const scrapes = [await one.scrape(), await other.scrape()];
  const sum = (name: string) => scrapes.reduce((all, scrape) => all + scrape.value(name), 0);
  expect(sum('escalation_queue_dequeue_total')).toBe(20);
  expect(sum('escalation_approvals_accepted_total') + sum('escalation_approvals_rejected_total')).toBe(20);
  expect(sum('escalation_response_time_seconds_count')).toBe(20);
  for (const { scrape } of [one, other])
    await until('an empty queue', async () => (await scrape()).value('escalation_queue_size') === 0);
});

it('what time ends counts once over two sweeping replicas', async () => {
  const one = await start();
  const other = await start();
  const ids = await Promise.all(Array.from({ length: 30 }, async () => (await one.api.enqueue()).body.id));
  await database.query(`update approvals set expires_at = now() - interval '1 second' where id = any($1)`, [
    ids,
  ]);
  await Promise.all([one.app.sweeper.sweep(), other.app.sweeper.sweep(), one.api.get(ids[0] ?? '')]);
  const scrapes = [await one.scrape(), await other.scrape()];
  const sum = (name: string) => scrapes.reduce((all, scrape) => all + scrape.value(name), 0);
  expect(sum('escalation_approvals_timeout_total')).toBe(30);
  expect(sum('escalation_queue_dequeue_total')).toBe(30);
});

it('approvals go their way while every metric is broken', async () => {
  const { app, api } = await start();
  const registry = app.get(Registry);
  // Those of the Node.js process are recorded by their library, in places of its own.
  const ours = registry
    .getMetricsAsArray()
    .map((metric) => (metric as unknown as { name: string }).name)
    .filter((name) => /^(escalation|telegram|http)_/.test(name));
  for (const name of ours) {
    const breakable = registry.getSingleMetric(name) as Partial<Counter> & { observe?: () => void };
    const fail = () => {
      throw new Error('the registry is broken');
    };
    if (breakable.inc) breakable.inc = fail;
    if (breakable.observe) breakable.observe = fail;
  }
  const { body, status } = await api.enqueue();
  expect(status).toBe(201);
  const waiting = api.get(body.id, 30);
  await until('a waiter', () => app.feed.size === 1);
  expect((await api.decide(body.id, 'rejected')).status).toBe(200);
  expect((await waiting).body.status).toBe('rejected');
  expect(app.events.filter(({ event }) => event === 'metrics.record-failed')).toHaveLength(1);
});
