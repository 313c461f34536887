import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../../support/processes';
import { readDeployed } from '../../support/deployment';
import { dashboardPanels, yamlFile } from '../../support/deployment-files';

interface ComposeService {
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const { services } = yamlFile('docker-compose.yml') as {
  services: Readonly<Record<string, ComposeService>>;
};
const replicas = Object.keys(services).filter((name) => name.startsWith('countersign-'));

const mountsOf = ({ volumes: mounts = [] }: ComposeService) =>
  mounts.map((mount) => {
    const [from = '', to = ''] = mount.split(':');
    return { from, to };
  });

it('gives Prometheus its configuration, which scrapes every replica', () => {
  const config = yamlFile('deploy/prometheus/prometheus.yml') as {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  const [directory] = mountsOf(services.prometheus ?? {}).filter(({ to }) => to === '/etc/prometheus');
  expect(services.prometheus?.command).toContain('--config.file=/etc/prometheus/prometheus.yml');
  for (const file of ['prometheus.yml', ...config.rule_files])
    expect(existsSync(join(CHECKOUT, directory?.from ?? '', file))).toBe(true);
  const scraped = config.scrape_configs.find(({ job_name: name }) => name === 'countersign')?.static_configs;
  expect(scraped).toEqual([{ targets: replicas.map((name) => `${name}:9464`) }]);
  for (const name of replicas)
    expect(services[name]?.environment).toMatchObject({ METRICS_PORT: '9464', METRICS_HOST: '0.0.0.0' });
});

it('gives Grafana the data source and the dashboard', () => {
  const provisioning = 'deploy/grafana/provisioning';
  const { datasources } = yamlFile(`${provisioning}/datasources/prometheus.yml`) as {
    datasources: { type: string; url: string; uid: string }[];
  };
  expect(datasources).toMatchObject([{ type: 'prometheus', url: 'http://prometheus:9090' }]);
  const { providers } = yamlFile(`${provisioning}/dashboards/countersign.yml`) as {
    providers: { type: string; options: { path: string } }[];
  };
  const mounts = mountsOf(services.grafana ?? {});
  expect(mounts).toContainEqual({ from: `./${provisioning}`, to: '/etc/grafana/provisioning' });
  expect(mounts).toContainEqual({
    from: './deploy/grafana/countersign.json',
    to: `${providers[0]?.options.path ?? ''}/countersign.json`,
  });
});

it('has a dashboard with a question in every panel, and each panel once', () => {
  const panels = dashboardPanels();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  expect(rows).toEqual(
    expect.arrayContaining([
      'Queue',
      'Time to decision',
      'Outcomes',
      'Policy',
      'Telegram',
      'Circuit breaker',
      'Saturation',
    ]),
  );
  const mute = panels.filter(({ type, targets = [] }) => type !== 'row' && targets.length === 0);
  expect(mute).toEqual([]);
  expect(readDeployed('deploy/grafana/countersign.json')).not.toMatch(
    /"uid": "(?!\$\{datasource\}|countersign")/,
  );
});
