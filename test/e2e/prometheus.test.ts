import { execFile, spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import {
  alertRules,
  dashboardPanels,
  PROMETHEUS_DIRECTORY,
  runbookCommands,
  runbookPages,
  yamlFile,
} from '../support/deployment-files';
import { cleanUp, freePort, Program, temporaryDirectory } from '../support/processes';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { OPERATOR_KEY } from '../support/well-known';

/** Two scrapes and what comes before them, on a busy machine. */
const SCRAPED_WITHIN_MS = 60_000;
/** What Grafana makes of it follows from the scrape interval; any range with two scrapes in it will do. */
const RATE_INTERVAL = '1m';

interface ScrapeConfig {
  readonly job_name: string;
}

interface Answer<T> {
  readonly status: string;
  readonly data: T;
}

const missing = spawnSync('prometheus', ['--version']).error !== undefined;
if (missing)
  console.warn('prometheus is not installed: rules and dashboard were NOT tried on a live service');

let rig: TelegramRig;
let prometheusUrl: string;

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${prometheusUrl}/api/v1/${path}`);
  const { status, data } = (await response.json()) as Answer<T>;
  if (status !== 'success') throw new Error(`${path}: ${status}`);
  return data;
}

const series = async (expr: string): Promise<unknown[]> =>
  (await ask<{ result: unknown[] }>(`query?query=${encodeURIComponent(expr)}`)).result;

/** Debian's binary with the configuration that compose mounts; only whom it scrapes is another. */
async function startPrometheus(serviceUrl: string): Promise<void> {
  const directory = temporaryDirectory('countersign-prometheus-');
  cpSync(PROMETHEUS_DIRECTORY, directory, { recursive: true });
  const address = `127.0.0.1:${await freePort()}`;
  const targets: Readonly<Record<string, string>> = {
    countersign: new URL(serviceUrl).host,
    prometheus: address,
  };
  const config = yamlFile('deploy/prometheus/prometheus.yml') as {
    scrape_configs: ScrapeConfig[];
  };
  const adapted = config.scrape_configs.map(({ job_name: name }) => ({
    job_name: name,
    static_configs: [{ targets: [targets[name] ?? 'nobody'] }],
  }));
  writeFileSync(join(directory, 'prometheus.yml'), stringify({ ...config, scrape_configs: adapted }));
  new Program(
    'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    {},
    directory,
  );
  prometheusUrl = `http://${address}`;
}

/** What the demo plays: one approval, one rejection, one timeout. */
async function playTheDemo(): Promise<void> {
  for (const button of ['Approve', 'Reject']) {
    const { card } = await rig.shown();
    await rig.chat.press(card.messageId, button);
    await rig.closed(card);
  }
  const { body } = await rig.api.enqueue({ timeoutSeconds: 1 });
  await until('it expires', async () => (await rig.statusOf(body)) === 'expired');
}

(missing ? describe.skip : describe)('with a Prometheus of its own', () => {
  beforeAll(async () => {
    rig = await TelegramRig.start();
    await startPrometheus(rig.app.url);
    await playTheDemo();
    // The first verification comes a minute after the start, or when somebody asks.
    await rig.api.call('operator', 'GET', '/api/audit/verify');
    await until(
      'two scrapes after the demo',
      async () => (await series('count_over_time(up{job="countersign"}[1m]) >= 3')).length > 0,
      SCRAPED_WITHIN_MS,
    );
  });
  afterAll(async () => {
    await cleanUp();
    await rig.close();
  });

  it('every target is up', async () => {
    const { activeTargets } = await ask<{ activeTargets: { scrapePool: string; health: string }[] }>(
      'targets',
    );
    const health = activeTargets.map(({ scrapePool, health: how }) => `${scrapePool} ${how}`);
    expect(health.toSorted()).toEqual(['countersign up', 'prometheus up']);
  });

  it('every rule is loaded and can be judged, and none fires on a service that is well', async () => {
    const rules = () =>
      ask<{ groups: { rules: { name: string; health: string; state: string }[] }[] }>('rules').then(
        ({ groups }) => groups.flatMap((group) => group.rules),
      );
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
        const found = await series(expr.replaceAll('$__rate_interval', RATE_INTERVAL));
        if (found.length === 0) unanswered.push(`${title}: ${expr}`);
      }
    }
    expect(unanswered).toEqual([]);
  });

  it('every metric that an alert reads is there', async () => {
    const names = await ask<string[]>('label/__name__/values');
    const read = alertRules().flatMap(({ expr }) =>
      [...expr.matchAll(/\b[a-z]+(?:_[a-z0-9]+)+\b(?=[[{)\s])(?!\s*\()/g)].map(([name]) => name),
    );
    expect(read.length).toBeGreaterThan(10);
    expect(read.filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(runbookPages())('the commands of %s run', async (page) => {
    const env = { PATH: process.env.PATH, COUNTERSIGN_URL: rig.app.url, COUNTERSIGN_KEY: OPERATOR_KEY };
    for (const commands of runbookCommands(page)) {
      const { stdout } = await promisify(execFile)('bash', ['-euc', commands], { env });
      expect(stdout.trim()).not.toBe('');
      expect(stdout).not.toMatch(/"status":4\d\d/);
    }
  });
});
