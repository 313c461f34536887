import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  alertRules,
  PROMETHEUS_DIRECTORY,
  RUNBOOKS,
  runbookPages,
  yamlFile,
} from '../../support/deployment-files';
import { stepsOf } from '../../support/documents';

interface RuleTest {
  readonly name: string;
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly unknown[];
  }[];
}

const SECTIONS = ['Meaning', 'Impact', 'Diagnosis', 'Fix', 'Resolved when'];
const alerts = alertRules();
const { tests } = yamlFile('deploy/prometheus/tests/alerts.test.yml') as { tests: RuleTest[] };

/** The output of promtool; null, with a warning, where it is not installed. */
function promtool(...args: readonly string[]): string | null {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, {
    cwd: PROMETHEUS_DIRECTORY,
    encoding: 'utf8',
  });
  if (error) {
    console.warn('promtool is not installed: the alerts were NOT tested');
    return null;
  }
  return status === 0 ? '' : `${stdout}${stderr}`;
}

it('Prometheus accepts its configuration and the rules', () => {
  expect(promtool('check', 'config', 'prometheus.yml') ?? '').toBe('');
});

it('every alert fires when it should, and not when it should not', () => {
  expect(promtool('test', 'rules', 'tests/alerts.test.yml') ?? '').toBe('');
});

describe.each(alerts)('$alert', ({ alert, labels, annotations }) => {
  it('says how urgent it is, what is wrong, and where to read on', () => {
    expect(labels.severity).toMatch(/^(page|ticket)$/);
    expect(annotations.summary).toMatch(/\.$/);
    expect(annotations.runbook_url).toBe(`docs/runbooks/${alert}.md`);
  });

  it('has a page with its meaning, impact, diagnosis with commands, fix, and how it ends', () => {
    const page = `${alert}.md`;
    expect(existsSync(join(RUNBOOKS, page))).toBe(true);
    const headings = [...readFileSync(join(RUNBOOKS, page), 'utf8').matchAll(/^## (.+)$/gm)];
    expect(headings.map(([, heading]) => heading)).toEqual(SECTIONS);
    const sections = stepsOf(`docs/runbooks/${page}`).map(({ section }) => section);
    expect(sections).toContain('Diagnosis');
  });

  it('is tested firing and not firing', () => {
    const expected = tests
      .flatMap((test) => test.alert_rule_test)
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts: fired }) => fired.length > 0);
    expect(new Set(expected)).toEqual(new Set([true, false]));
  });
});

it('no page is about an alert that does not exist', () => {
  const names = new Set(alerts.map(({ alert }) => alert));
  expect(runbookPages().filter((page) => !names.has(basename(page, '.md')))).toEqual([]);
});
