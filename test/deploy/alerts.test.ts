import { basename } from 'node:path';
import { Scene } from '../support/alert-scene';
import { STORIES, type Story } from '../support/alert-stories';
import { alertRules, runbookPages } from '../support/deployment-files';
import { cleanUp } from '../support/processes';
import { until } from '../support/until';

/** The longest hurried window is a minute, and so is the first look of the audit watch; the rest is a busy machine. */
const WITHIN_MS = 150_000;
const STORY_WITHIN_MS = 600_000;

interface JudgedGroup {
  readonly rules: readonly { readonly health: string; readonly state: string }[];
}

async function isWell({ prometheus }: Scene): Promise<boolean> {
  const { groups } = await prometheus.ask<{ groups: readonly JudgedGroup[] }>('rules');
  const rules = groups.flatMap((group) => group.rules);
  return rules.every(({ health, state }) => health === 'ok' && state === 'inactive');
}

async function tell(alert: string, story: Story): Promise<void> {
  const scene = await Scene.set();
  try {
    await until(`before ${alert}, every rule is judged and none fires`, () => isWell(scene), WITHIN_MS);
    const { beforeFix, afterFix } = await story(scene);
    const { labels } = await until(`${alert} fires`, () => scene.firing(alert), WITHIN_MS);
    await scene.follow('README');
    if (labels.instance !== undefined) await scene.type(`export COUNTERSIGN_URL=http://${labels.instance}`);
    await scene.follow(alert, 'Diagnosis');
    // What ends it is the fix, and not time. A scrape that came late lets it lapse for a moment.
    await until(`${alert} fires still`, () => scene.firing(alert), WITHIN_MS);
    await beforeFix?.();
    await scene.follow(alert, 'Fix');
    await afterFix?.();
    await scene.follow(alert, 'Resolved when');
    await until(`${alert} has ended`, async () => !(await scene.firing(alert)), WITHIN_MS);
  } finally {
    await scene.strike();
  }
}

afterAll(cleanUp);

it('every alert has a story, and every page', () => {
  const told = Object.keys(STORIES).toSorted();
  const alerts = alertRules().map(({ alert }) => alert);
  const pages = runbookPages().map((page) => basename(page, '.md'));
  expect(told).toEqual(alerts.toSorted());
  expect(told).toEqual(pages.toSorted());
});

it.concurrent.each(Object.entries(STORIES))(
  '%s fires for its fault, and its page, followed word for word, ends it',
  tell,
  STORY_WITHIN_MS,
);
