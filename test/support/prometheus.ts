import { spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { PROMETHEUS_DIRECTORY, yamlFile } from './deployment-files';
import { freePort, Program, temporaryDirectory } from './processes';
import { until } from './until';

interface Configuration {
  readonly global: object;
  readonly scrape_configs: readonly { readonly job_name: string }[];
}

interface Answer<T> {
  readonly status: string;
  readonly data: T;
}

export interface ActiveAlert {
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
}

/** Differences from the shipped configuration, besides the scrape targets. */
export interface Differences {
  readonly global?: object;
  /** Content of `alerts.yml`. */
  readonly rules?: unknown;
}

export const prometheusIsMissing = (): boolean => spawnSync('prometheus', ['--version']).error !== undefined;

/** Debian's binary with the configuration that compose mounts; only whom it scrapes is another. */
export class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly program: Program,
  ) {}

  /** @param services addresses of replicas; @throws Error saying what to install when it is not there */
  static async start(
    services: readonly string[],
    { global = {}, rules }: Differences = {},
  ): Promise<Prometheus> {
    if (prometheusIsMissing()) throw new Error('no Prometheus here: apt-get install prometheus');
    const directory = temporaryDirectory('countersign-prometheus-');
    cpSync(PROMETHEUS_DIRECTORY, directory, { recursive: true });
    const address = `127.0.0.1:${await freePort()}`;
    const targets: Readonly<Record<string, readonly string[]>> = {
      countersign: services.map((service) => new URL(service).host),
      prometheus: [address],
    };
    const shipped = yamlFile('deploy/prometheus/prometheus.yml') as Configuration;
    const config = {
      ...shipped,
      global: { ...shipped.global, ...global },
      scrape_configs: shipped.scrape_configs.map(({ job_name: name }) => ({
        job_name: name,
        static_configs: [{ targets: targets[name] ?? ['nobody'] }],
      })),
    };
    writeFileSync(join(directory, 'prometheus.yml'), stringify(config));
    if (rules !== undefined) writeFileSync(join(directory, 'alerts.yml'), stringify(rules));
    const program = new Program(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      {},
      directory,
    );
    await until('Prometheus is ready', () =>
      fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return new Prometheus(`http://${address}`, program);
  }

  /** @throws Error when it refuses. */
  async ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    const { status, data } = (await response.json()) as Answer<T>;
    if (status !== 'success') throw new Error(`${path}: ${status}`);
    return data;
  }

  /** True if the expression has a result. */
  async has(expr: string): Promise<boolean> {
    const { result } = await this.ask<{ result: unknown[] }>(`query?query=${encodeURIComponent(expr)}`);
    return result.length > 0;
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    return (await this.ask<{ alerts: ActiveAlert[] }>('alerts')).alerts;
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}
