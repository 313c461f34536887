import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readDeployed, yamlOf } from './deployment';
import { CHECKOUT } from './processes';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

export const PROMETHEUS_DIRECTORY = join(CHECKOUT, 'deploy/prometheus');
export const RUNBOOKS = join(CHECKOUT, 'docs/runbooks');

/** The content of the file; its reader names the part that matters, and fails when it is missing. */
export const yamlFile = (path: string): unknown => yamlOf(path)[0];

export function alertRules(): AlertRule[] {
  const { groups } = yamlFile('deploy/prometheus/alerts.yml') as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

export function dashboardPanels(): Panel[] {
  return (JSON.parse(readDeployed('deploy/grafana/countersign.json')) as { panels: Panel[] }).panels;
}

/** The pages of `docs/runbooks` that belong to an alert. */
export const runbookPages = (): string[] =>
  readdirSync(RUNBOOKS).filter((name) => name.endsWith('.md') && name !== 'README.md');
