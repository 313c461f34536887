import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alertRules, dashboardPanels } from '../support/deployment-files';
import { cleanUp } from '../support/processes';
import { Prometheus, prometheusIsMissing } from '../support/prometheus';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';

/** Two scrapes and what comes before them, on a busy machine. */
const SCRAPED_WITHIN_MS = 60_000;
/** Grafana derives it from the scrape interval; any range with two scrapes will do. */
const RATE_INTERVAL = '1m';

if (prometheusIsMissing())
  console.warn('prometheus is not installed: rules and dashboard were NOT tried on a live service');

const directory = mkdtempSync(join(tmpdir(), 'countersign-prometheus-'));
let rig: TelegramRig;
let prometheus: Prometheus;

/** Plays the demo: one approval, one rejection, one timeout. */
async function playTheDemo(): Promise<void> {
  for (const button of ['Approve', 'Reject']) {
    const { card } = await rig.shown();
    await rig.chat.press(card.messageId, button);
    await rig.closed(card);
  }
  const { body } = await rig.api.enqueue({ timeoutSeconds: 1 });
  await until('it expires', async () => (await rig.statusOf(body)) === 'expired');
}

(prometheusIsMissing() ? describe.skip : describe)('with a Prometheus of its own', () => {
  beforeAll(async () => {
    // Its metrics are there only where the log is streamed.
    rig = await TelegramRig.start({ AUDIT_STREAM: `file:${join(directory, 'audit.jsonl')}` });
    prometheus = await Prometheus.start([rig.app.url]);
    await playTheDemo();
    // The first verification comes a minute after the start, or when somebody asks.
    await rig.api.call('operator', 'GET', '/api/audit/verify');
    await until(
      'two scrapes after the demo',
      () => prometheus.has('count_over_time(up{job="countersign"}[1m]) >= 3'),
      SCRAPED_WITHIN_MS,
    );
  });
  afterAll(async () => {
    await cleanUp();
    await rig.close();
    rmSync(directory, { recursive: true });
  });

  it('every target is up', async () => {
    const { activeTargets } = await prometheus.ask<{
      activeTargets: { scrapePool: string; health: string }[];
    }>('targets');
    const health = activeTargets.map(({ scrapePool, health: how }) => `${scrapePool} ${how}`);
    expect(health.toSorted()).toEqual(['countersign up', 'prometheus up']);
  });

  it('every rule is loaded and can be judged, and none fires on a service that is well', async () => {
    const rules = () =>
      prometheus
        .ask<{ groups: { rules: { name: string; health: string; state: string }[] }[] }>('rules')
        .then(({ groups }) => groups.flatMap((group) => group.rules));
    const loaded = await until(
      'every rule is judged',
      async () => {
        const found = await rules();
        return found.every(({ health }) => health !== 'unknown') && found;
      },
      SCRAPED_WITHIN_MS,
    );
    expect(loaded.map(({ name }) => name)).toEqual(alertRules().map(({ alert }) => alert));
    expect(loaded.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(loaded.filter(({ state }) => state === 'firing')).toEqual([]);
  });

  it('every question of the dashboard has an answer', async () => {
    const unanswered: string[] = [];
    for (const { title, targets = [] } of dashboardPanels()) {
      for (const { expr } of targets) {
        const answered = await prometheus.has(expr.replaceAll('$__rate_interval', RATE_INTERVAL));
        if (!answered) unanswered.push(`${title}: ${expr}`);
      }
    }
    expect(unanswered).toEqual([]);
  });

  it('every metric that an alert reads is there', async () => {
    const names = await prometheus.ask<string[]>('label/__name__/values');
    const read = alertRules().flatMap(({ expr }) =>
      [...expr.matchAll(/\b[a-z]+(?:_[a-z0-9]+)+\b(?=[[{)\s])(?!\s*\()/g)].map(([name]) => name),
    );
    expect(read.length).toBeGreaterThan(10);
    expect(read.filter((name) => !names.includes(name))).toEqual([]);
  });
});
