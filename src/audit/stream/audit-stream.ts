import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '../../config/environment';
import { LeaseStore } from '../../database/lease-store';
import { BUILD } from '../../kernel/build';
import { Clock } from '../../kernel/clock';
import { pause } from '../../kernel/pause';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { CallTimeoutError } from '../../resilience/call-timeout';
import { CircuitBreakerService, CircuitOpenError } from '../../resilience/circuit-breaker';
import { createGuard, type Guard } from '../../resilience/compose';
import type { Retryability } from '../../resilience/retry-policy';
import { AuditStore } from '../audit-store';
import type { SealedRow } from '../seal';
import type { Destination } from './destination';
import { destinationOf } from './destinations';
import { STREAM_LEASE } from './stream-cursor';
import { AuditStreamed, AuditStreamFailed } from './stream-events';
import { StreamFailure, type StreamFailureReason } from './stream-failure';

/** Longer than one batch with its retries, so that two replicas rarely send the same rows. */
const LEASE_SECONDS = 60;
const LOOK_MS = 1_000;
/** Rest after a failure, and of a standby replica between its attempts to take the lease. */
const REST_MS = 2_000;
const MAX_REST_MS = 300_000;
/** Limits memory: a row has a few kilobytes at most. */
const BATCH = 200;
const TIMEOUT_MS = 10_000;
const RETRY = { maxAttempts: 2, initialDelayMs: 500, maxDelayMs: 5_000, jitter: true };
const BREAKER = {
  consecutiveFailures: 5,
  failureRate: 1,
  minimumThroughput: 5,
  samplingSeconds: 60,
  breakSeconds: 30,
};

type Batch = readonly SealedRow[];

function retryability(error: unknown): Retryability {
  if (error instanceof CallTimeoutError) return { kind: 'transient' };
  if (!(error instanceof StreamFailure) || error.more.transient !== true) return { kind: 'final' };
  const { retryAfterMs } = error.more;
  return retryAfterMs === undefined ? { kind: 'transient' } : { kind: 'retry-after', ms: retryAfterMs };
}

/** Too many rows at a time are no sign that the destination is unwell. */
const isUnwell = (error: unknown): boolean =>
  !(error instanceof StreamFailure && error.more.tooMany === true);

function reasonOf(error: unknown): StreamFailureReason | null {
  if (error instanceof StreamFailure) return error.reason;
  return error instanceof CallTimeoutError ? 'timeout' : null;
}

/**
 * Sends every sealed row of the audit log to `AUDIT_STREAM`, in the order of the chain, on one replica at a time. Seals
 * have numbers without gaps and cover committed rows only, so none is skipped. The cursor moves once the destination has
 * taken a batch: a row may arrive twice, and never not at all.
 */
@Injectable()
export class AuditStream implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly destination: Destination | null;
  private readonly guard: Guard;
  private readonly failures: FailureLog;
  private running: Promise<void> | null = null;
  /** The last attempt, which may outlive its time limit. It never rejects. */
  private sending: Promise<unknown> = Promise.resolve();
  /** Rows to send at a time: fewer where the destination did not take more. */
  private most = BATCH;

  constructor(
    private readonly store: AuditStore,
    private readonly leases: LeaseStore,
    private readonly events: EventBus,
    clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    const sender = { version: BUILD.version, replica: leases.replica };
    this.destination = config.auditStream && destinationOf(config.auditStream, log, sender, clock);
    this.guard = createGuard({
      retry: RETRY,
      classify: retryability,
      breaker: new CircuitBreakerService(BREAKER, isUnwell, clock),
      timeoutMs: TIMEOUT_MS,
    });
    this.failures = new FailureLog(
      log,
      {
        event: 'audit.stream-failed',
        message:
          'AUDIT_STREAM did not take rows of the audit log; it is retried, and nothing else waits for it',
      },
      { event: 'audit.stream-recovered', message: 'AUDIT_STREAM takes rows of the audit log again' },
    );
  }

  onApplicationBootstrap(): void {
    if (this.destination !== null) this.running = this.run(this.destination);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(destination: Destination): Promise<void> {
    while (!this.stop.signal.aborted) {
      const restMs = await this.guarded(() => this.lead(destination));
      if (restMs > 0) await pause(restMs, this.stop.signal);
    }
    await this.leases.release(STREAM_LEASE).catch(() => undefined);
  }

  /** Sends one batch, if this replica holds the lease. @returns milliseconds to rest. */
  private async lead(destination: Destination): Promise<number> {
    if (!(await this.leases.take(STREAM_LEASE, LEASE_SECONDS))) return REST_MS;
    const data = await this.leases.dataOf(STREAM_LEASE);
    if (data === null) return REST_MS;
    const cursor = Number.parseInt(data, 10) || 0;
    const batch = await this.store.sealed(cursor, this.most);
    const [first] = batch;
    const last = batch.at(-1);
    if (!first || !last) return LOOK_MS;
    if (!(await this.deliver(destination, batch))) return 0;
    this.failures.succeed();
    if (!(await this.leases.replaceData(STREAM_LEASE, data, String(last.seal.number)))) return REST_MS;
    if (cursor > 0 && first.seal.number > cursor + 1) this.tellGap(cursor + 1, first.seal.number - 1);
    const rest = batch.length < this.most ? LOOK_MS : 0;
    this.most = Math.min(BATCH, this.most * 2);
    return rest;
  }

  /** @returns false if fewer rows should be tried. */
  private async deliver(destination: Destination, batch: Batch): Promise<boolean> {
    try {
      await this.guard.execute((signal) => this.send(destination, batch, signal), {
        signal: this.stop.signal,
        onRetry: ({ error }) => this.count(error),
      });
      this.events.publish(new AuditStreamed(batch.length));
      return true;
    } catch (error) {
      this.count(error);
      const [only] = batch;
      if (!(error instanceof StreamFailure) || error.more.tooMany !== true || !only) throw error;
      if (batch.length > 1) {
        this.most = Math.ceil(batch.length / 2);
        return false;
      }
      if (error.reason !== 'refused') throw error;
      // OpenTelemetry forbids to send it again. All that follows would wait for it.
      const fields = { number: only.seal.number, seq: only.seal.seq, error: error.message };
      const message = 'AUDIT_STREAM refused a row of the audit log, which is left out';
      this.log.event('error', 'audit.stream-row-refused', fields, message);
      return true;
    }
  }

  /** Waits for an attempt whose time ran out, so that no more than one batch is in memory or half written. */
  private async send(destination: Destination, batch: Batch, signal: AbortSignal): Promise<void> {
    await this.sending;
    signal.throwIfAborted();
    const sending = destination.send(batch, signal);
    this.sending = sending.catch(() => undefined);
    await sending;
  }

  private count(error: unknown): void {
    const reason = reasonOf(error);
    if (reason !== null) this.events.publish(new AuditStreamFailed(reason));
  }

  private tellGap(from: number, to: number): void {
    const message = 'rows of the audit log were removed before they were streamed';
    this.log.event('warn', 'audit.stream-gap', { from, to }, message);
  }

  /** Never rejects. After a failure it lets another replica try, whose way to the destination may be open. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      return await work();
    } catch (error) {
      if (this.stop.signal.aborted) return 0;
      if (!(error instanceof CircuitOpenError)) this.failures.fail(error);
      await this.leases.release(STREAM_LEASE).catch(() => undefined);
      const asked = error instanceof StreamFailure ? (error.more.retryAfterMs ?? 0) : 0;
      return Math.min(Math.max(REST_MS, asked), MAX_REST_MS);
    }
  }
}
