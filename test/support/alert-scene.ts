import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { Api } from './api';
import { followSteps, stepsOf } from './documents';
import { hurriedRules } from './hurried-alerts';
import { install, REPLICA_PORTS, type Installation } from './installation';
import { Prometheus, type ActiveAlert } from './prometheus';
import { startTcpProxy, type TcpProxy } from './tcp-proxy';
import { until } from './until';

/** The shortest hurried window, five seconds, has five scrapes in it; a scrape waits up to a second for the database. */
const EVERY_SECOND = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };

/** Longer than any story. */
const SCENE_WITHIN_MS = 600_000;

/** One installation, its Prometheus, and the person on call at its shell. */
export class Scene {
  readonly shell;
  readonly api: Api;
  private readonly sessions: Client[] = [];
  private readonly wires: TcpProxy[] = [];
  private readonly ends: (() => Promise<unknown>)[] = [];
  private readonly habits: Promise<unknown>[] = [];
  private over = false;

  private constructor(
    readonly machine: Installation,
    readonly prometheus: Prometheus,
  ) {
    this.shell = machine.shell();
    this.api = new Api(machine.replica('3001'), {
      agent: machine.read('/etc/countersign/agent-api-key'),
      operator: machine.read('/etc/countersign/operator-api-key'),
    });
  }

  static async set(): Promise<Scene> {
    const machine = await install();
    const replicas = REPLICA_PORTS.map((port) => machine.replica(port));
    const differences = { global: EVERY_SECOND, rules: hurriedRules() };
    try {
      return new Scene(machine, await Prometheus.start(replicas, differences));
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /** @throws what a habit threw. */
  async strike(): Promise<void> {
    this.over = true;
    const habits = await Promise.allSettled(this.habits);
    await this.machine.stop();
    await this.prometheus.stop();
    await Promise.all(this.sessions.map((session) => session.end()));
    await Promise.all(this.wires.map((wire) => wire.close()));
    await Promise.all(this.ends.map((end) => end()));
    for (const habit of habits) if (habit.status === 'rejected') throw habit.reason;
  }

  /** Ends something with the scene. */
  afterwards(end: () => Promise<unknown>): void {
    this.ends.push(end);
  }

  /** Does it again and again, beside everything else, until the scene is struck. @returns what ends it before. */
  keep(doing: () => Promise<unknown>): () => Promise<unknown> {
    let stopped = false;
    const isOver = () => doing().then(() => stopped || this.over);
    const habit = until('the scene is struck', isOver, SCENE_WITHIN_MS);
    // Told when the scene is struck.
    habit.catch(() => undefined);
    this.habits.push(habit);
    return () => {
      stopped = true;
      return habit;
    };
  }

  /** Types it at the shell of the person on call. @throws Error when it fails. */
  async type(command: string): Promise<void> {
    const { code, err } = await this.shell.run({ command, background: false });
    if (code !== 0) throw new Error(`${command}: ended with ${String(code)}\n${err}`);
  }

  /** Runs the commands of a page, or of one section of it. @throws Error with what they print instead. */
  async follow(page: string, section?: string): Promise<void> {
    const path = `docs/runbooks/${page}.md`;
    const steps = stepsOf(path).filter((step) => section === undefined || step.section === section);
    const differences = await followSteps(path, steps, this.shell);
    if (differences.length > 0) throw new Error(differences.join('\n\n'));
  }

  async firing(alert: string): Promise<ActiveAlert | undefined> {
    const alerts = await this.prometheus.alerts();
    return alerts.find(({ state, labels }) => state === 'firing' && labels.alertname === alert);
  }

  /** A session of this role, which outlives what it is used for until somebody ends it. */
  async session(role: 'service' | 'owner'): Promise<Client> {
    const file = { service: 'database-url', owner: 'database-migration-url' }[role];
    const client = new Client({ connectionString: this.machine.read(`/etc/countersign/${file}`) });
    client.on('error', () => undefined);
    await client.connect();
    this.sessions.push(client);
    return client;
  }

  /** Puts a wire between the replicas and their database. */
  async wire(): Promise<TcpProxy> {
    const wire = await startTcpProxy(this.machine.read('/etc/countersign/database-url'));
    this.wires.push(wire);
    writeFileSync(join(this.machine.directory, 'etc/countersign/database-url'), wire.url);
    await this.type('systemctl restart countersign@3001 countersign@3002');
    await this.follow('CountersignDatabaseDown', 'Resolved when');
    return wire;
  }
}
