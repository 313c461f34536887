import { createTestDatabase, type TestDatabase } from './database';
import { Generator, targetOf, type Target } from './generator';
import { cleanUp, Service, temporaryDirectory } from './processes';
import { until } from './until';
import { Scrape } from './scrape';
import { AGENT_KEY, OPERATOR_KEY } from './well-known';

export const KEYS = { agent: AGENT_KEY, operator: OPERATOR_KEY } as const;
export const ENQUEUE = { path: '/api/approvals', key: AGENT_KEY } as const;

/** Limits are raised, never bypassed; a test of a limit sets it. */
const ROOM = {
  RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
  APPROVAL_MAX_PENDING_PER_AGENT: '1000000',
  RATE_LIMIT_AGENT_PER_MINUTE: '10000000',
  RATE_LIMIT_OPERATOR_PER_MINUTE: '10000000',
  HTTP_MAX_WAITING_PER_KEY: '1000000',
  LOG_LEVEL: 'info',
} as const;

/** Services under load: each a process, with a database of the test file's own and callers in a process of theirs. */
export class LoadRig {
  private constructor(
    readonly database: TestDatabase,
    readonly callers: Generator,
  ) {}

  static async set(): Promise<LoadRig> {
    return new LoadRig(await createTestDatabase(), await Generator.start());
  }

  async service(more: Readonly<Record<string, string>> = {}): Promise<LoadedService> {
    const service = await Service.start({
      DATABASE_URL: this.database.url,
      DATA_DIR: temporaryDirectory('countersign-load-'),
      ...ROOM,
      ...more,
    });
    return { service, target: targetOf(service.url) };
  }

  async strike(): Promise<void> {
    this.callers.end();
    await cleanUp();
    await this.database.drop();
  }

  /** Pending requests with the callers' key, made without the service: what is measured begins after them. */
  async pending(count: number, expiresIn = '1 hour'): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at)
       select uuid_v7(now()), 'bootstrap-agent', 'load', 'load',
         '{"agentId":"load","cwd":null,"metadata":{},"sessionId":"load","summary":null,"toolInput":{},"toolName":"Bash","toolUseId":null}',
         'sha256:0', 'load', now(), now() + $2::interval
       from generate_series(1, $1::int) returning id`,
      [count, expiresIn],
    );
    return rows.map(({ id }) => id);
  }

  async count(where: string): Promise<number> {
    const [row] = await this.database.query<{ count: number }>(
      `select count(*)::int as count from approvals where ${where}`,
    );
    return row?.count ?? 0;
  }
}

export interface LoadedService {
  readonly service: Service;
  readonly target: Target;
}

export const metricOf = async ({ service }: LoadedService, name: string): Promise<number> =>
  (await Scrape.of(service.url)).value(name);

export const waitersAre = (loaded: LoadedService, count: number): Promise<boolean> =>
  until(
    `${count} calls are waiting`,
    async () => (await metricOf(loaded, 'escalation_waiters')) === count,
    60_000,
  );
