import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LeaseStore } from '../database/lease-store';
import { Clock } from '../kernel/clock';
import { pause } from '../kernel/pause';
import { FailureLog } from '../logging/failure-log';
import { Log } from '../logging/log';
import { sealAll } from './audit-chain';
import { AuditCheckpoints } from './audit-checkpoints';
import { AuditStore } from './audit-store';
import type { Seal } from './seal';

const SEALER_LEASE = 'audit-sealer';
/** Another replica takes over from a dead sealer within this and its next check: two seconds. */
const LEASE_SECONDS = 1.5;
/** Seals are at most a second behind: several checks a second, each a short index scan when there is nothing. */
const LOOK_MS = 250;
/** Interval at which a standby replica tries to take the lease. */
const STANDBY_MS = 500;
/** Pause between full batches: sealing can wait, but callers wait for the statements that write rows. */
const BREATHER_MS = 50;
/** Limits how long one batch keeps this process from other work. */
const BATCH = 500;
/** The constraint that a seal violates when the chain has grown since it was read. */
const SEAL_NUMBER = 'pk_audit_seals';

/** Interval of lease renewals; a renewal with every check would cost too much. */
const RENEW_MS = 500;

/** Seals every row of the audit log, on one replica at a time, without blocking the writers. */
@Injectable()
export class AuditSealer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<void> | null = null;
  /** The end of the chain; read anew with every lease and after every failure. */
  private last: Seal | null = null;
  private holding = false;
  private renewAtMs = 0;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: AuditStore,
    private readonly leases: LeaseStore,
    private readonly checkpoints: AuditCheckpoints,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.failures = new FailureLog(log, {
      event: 'audit.sealing-failed',
      message: 'the audit log is not sealed; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stop.signal.aborted) {
      const restMs = await this.guarded(() => this.lead());
      if (restMs > 0) await pause(restMs, this.stop.signal);
    }
    await this.guarded(() => this.leave());
  }

  /**
   * Seals one last batch on shutdown, and exports a checkpoint against which a restored or altered database is
   * compared.
   */
  private async leave(): Promise<number> {
    if (!this.holding) return 0;
    await this.seal();
    await this.checkpoints.exportNow();
    await this.leases.release(SEALER_LEASE);
    return 0;
  }

  /** Seals, if this replica holds the lease. @returns milliseconds to rest. */
  private async lead(): Promise<number> {
    const now = this.clock.monotonicMs();
    if (!this.holding || now >= this.renewAtMs) {
      this.holding = await this.leases.take(SEALER_LEASE, LEASE_SECONDS);
      this.renewAtMs = now + RENEW_MS;
    }
    if (!this.holding) {
      this.last = null;
      return STANDBY_MS;
    }
    const more = await this.seal();
    await this.checkpoints.exportIfDue();
    return more ? BREATHER_MS : LOOK_MS;
  }

  /** Seals one batch. @returns true if it was full. */
  private async seal(): Promise<boolean> {
    this.last ??= await this.store.lastSeal();
    const rows = await this.store.unsealed(BATCH);
    if (rows.length > 0) {
      const seals = sealAll(this.last, rows);
      await this.store.seal(seals);
      this.last = seals.at(-1) ?? this.last;
    }
    return rows.length === BATCH;
  }

  /** Logs the first of several failures, and drops the chain so that the next run reads it anew. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      const restMs = await work();
      this.failures.succeed();
      return restMs;
    } catch (error) {
      this.last = null;
      this.holding = false;
      // The lease ran out while this process had no CPU. The seal's number kept the chain single, so this is not a
      // fault.
      if ((error as { constraint?: unknown }).constraint === SEAL_NUMBER) {
        this.log.event('info', 'audit.sealer-overtaken', {}, 'another replica seals the audit log by now');
        return STANDBY_MS;
      }
      this.failures.fail(error);
      return STANDBY_MS;
    }
  }
}
