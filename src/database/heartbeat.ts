import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '../kernel/errors';
import { describeError } from '../kernel/describe-error';
import type { Log } from '../logging/log';
import { createDataSource } from './data-source';
import { Database, type Statement } from './database';
import type { DatabaseLocation } from './database-location';
import { readSchemaState, type SchemaState } from './migration-state';

/** Interval of a replica's heartbeat; part of the interface of `/health/ready`. */
const BEAT_MS = 2_000;
/** Timeout of a beat. With the read of the schema, both end before the next beat. */
const WITHIN_MS = 1_000;
/** Failed beats until the database counts as down; a single one may be a restart or a failover. */
const FAILURES_UNTIL_DOWN = 3;

/** Age at which rows of killed replicas are removed, by any beat; it skips rows that another beat removes. */
const FORGOTTEN_AFTER = `interval '1 day'`;

/** Parameters: replica, version, policy level, policy version. */
const BEAT: Statement = {
  name: 'replica-beat',
  withinMs: WITHIN_MS,
  text: `
  with forgotten as (
    delete from replicas where id in (
      select id from replicas where seen_at < now() - ${FORGOTTEN_AFTER} and id <> $1 for update skip locked)
  )
  insert into replicas (id, version, policy_level, policy_version, started_at, seen_at)
  values ($1, $2, $3, $4, now(), now())
  on conflict (id) do update set seen_at = now(), policy_version = excluded.policy_version`,
};

/** Written by a replica without a policy; one of a build that writes no version leaves null. */
const NO_POLICY = 'none';

const LEAVE: Statement = {
  name: 'replica-leave',
  withinMs: WITHIN_MS,
  text: `delete from replicas where id = $1`,
};

/** Reasons for SQLSTATEs, in words that reveal nothing of the installation: anybody may read them. */
const REASONS: Readonly<Record<string, string>> = {
  '25006': 'the database is read-only',
  '53100': 'the disk of the database is full',
  '55P03': 'the row of this replica is locked',
  '53300': 'the database has no connection left',
  '57P03': 'the database is starting',
};

/** Five characters, one of them a digit: codes of socket errors have none. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

function reasonOf(error: unknown): string {
  const cause = error instanceof DomainError ? error.cause : error;
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  if (typeof code !== 'string' || !SQLSTATE.test(code)) return 'the database does not answer';
  return REASONS[code] ?? `the database refuses the heartbeat (SQLSTATE ${code})`;
}

/** The build of this replica. */
export interface Build {
  readonly version: string;
  /** The newest policy language that it enforces. */
  readonly policyLevel: number;
}

interface Identity extends Build {
  readonly replica: string;
  /** The migrations of this build, by name. */
  readonly migrations: readonly string[];
}

/**
 * Writes a row every two seconds, on a connection of its own, so that readiness needs no query. It shows that the
 * database is reachable and writable, and which migrations it has. Traffic does not affect it, and one success is
 * enough.
 */
export class Heartbeat implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private source: ReturnType<typeof createDataSource> | null = null;
  private database: Database | null = null;
  private timer: NodeJS.Timeout | null = null;
  private beating: Promise<void> = Promise.resolve();
  private stopped = false;
  private failures = 0;
  private reason: string | null = 'no heartbeat was written yet';
  private lastSchema: SchemaState | null = null;
  /** The policy version that this replica enforces; null: none. The next beat reports it. */
  policyVersion: string | null = null;

  constructor(
    private readonly location: DatabaseLocation,
    private readonly identity: Identity,
    private readonly log: Log,
  ) {}

  /** Reason why the database does not serve this replica; null: it does. */
  get downBecause(): string | null {
    return this.reason;
  }

  /** Schema at the last read; null before the first. */
  get schema(): SchemaState | null {
    return this.lastSchema;
  }

  /** @throws Error when the database cannot be reached at the start. */
  async onApplicationBootstrap(): Promise<void> {
    const limits = { statementTimeoutMs: WITHIN_MS, lockTimeoutMs: WITHIN_MS, connectTimeoutMs: WITHIN_MS };
    this.source = createDataSource(this.location.url, 1, limits);
    await this.source.initialize();
    this.database = new Database(this.source);
    await this.beat(this.database);
    this.next(this.database);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.beating;
    // Best effort: a row that stays is removed after a day.
    await this.database?.query(LEAVE, [this.identity.replica]).catch(() => undefined);
    if (this.source?.isInitialized) await this.source.destroy();
  }

  private next(database: Database, tookMs = 0): void {
    if (this.stopped) return;
    this.timer = setTimeout(
      () => {
        const begunAt = performance.now();
        this.beating = this.beat(database).then(() => this.next(database, performance.now() - begunAt));
      },
      Math.max(0, BEAT_MS - tookMs),
    );
  }

  /** Never rejects. */
  private async beat(database: Database): Promise<void> {
    const { replica, version, policyLevel, migrations } = this.identity;
    try {
      await database.query(BEAT, [replica, version, policyLevel, this.policyVersion ?? NO_POLICY]);
      this.succeed();
    } catch (error) {
      this.fail(error);
    }
    // Without the table of the heartbeat, an older backup was restored: the schema shows it.
    await readSchemaState(database, migrations, WITHIN_MS).then(
      (schema) => (this.lastSchema = schema),
      () => undefined,
    );
  }

  private succeed(): void {
    const wasDown = this.failures >= FAILURES_UNTIL_DOWN;
    this.failures = 0;
    this.reason = null;
    if (wasDown) this.log.event('info', 'database.heartbeat-back', {}, 'the database can be written again');
  }

  private fail(error: unknown): void {
    this.failures++;
    if (this.failures < FAILURES_UNTIL_DOWN) return;
    this.reason = reasonOf(error);
    if (this.failures > FAILURES_UNTIL_DOWN) return;
    const fields = { reason: this.reason, error: describeError(error) };
    this.log.event(
      'error',
      'database.heartbeat-lost',
      fields,
      'this replica is not ready until it can write',
    );
  }
}
