import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LeaseStore } from '../database/lease-store';
import { Clock } from '../kernel/clock';
import { pause } from '../kernel/pause';
import { FailureLog } from '../logging/failure-log';
import { Log } from '../logging/log';
import { sealAll, type AuditRow, type Seal } from './audit-chain';
import { AuditCheckpoints } from './audit-checkpoints';
import { AuditStore, LOOKED_THROUGH_AT_ONCE } from './audit-store';
import { SequenceGaps } from './sequence-gaps';

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
/** Interval of a full scan, in case a row committed later than any transaction may take. */
const FULL_LOOK_MS = 3_600_000;

/** The constraint that a seal violates when the chain has grown since it was read. */
const SEAL_NUMBER = 'pk_audit_seals';

/** Missing numbers within this many below the highest may belong to running transactions. */
const IN_FLIGHT = 10_000;
/** Interval of lease renewals; a renewal with every check would cost too much. */
const RENEW_MS = 500;

interface Chain {
  last: Pick<Seal, 'number' | 'hash'>;
  readonly gaps: SequenceGaps;
  /** Rows up to here are still to be scanned for missing seals, from the end; null once all were. */
  unlooked: number | null;
}

/** Seals every row of the audit log, on one replica at a time, without blocking the writers. */
@Injectable()
export class AuditSealer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<void> | null = null;
  /** State of the chain; read anew with every lease and after every failure. */
  private chain: Chain | null = null;
  private holding = false;
  private renewAtMs = 0;
  private fullLookAtMs = 0;
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
    await this.seal(this.clock.monotonicMs());
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
      this.chain = null;
      return STANDBY_MS;
    }
    const more = await this.seal(now);
    await this.checkpoints.exportIfDue();
    return more ? BREATHER_MS : LOOK_MS;
  }

  /** Seals a batch of older unsealed rows, if a scan is due, and a batch of new rows. @returns true if one was full. */
  private async seal(now: number): Promise<boolean> {
    this.chain ??= await this.begun();
    if (this.chain.unlooked === null && now >= this.fullLookAtMs)
      this.chain.unlooked = this.chain.gaps.seenUpTo;
    const leftOut =
      this.chain.unlooked === null ? 0 : await this.sealLeftOut(this.chain, this.chain.unlooked);
    const fresh = await this.sealNew(this.chain);
    return leftOut === BATCH || fresh === BATCH;
  }

  /**
   * Reads missing numbers before it scans for unsealed rows. A row that commits in between is awaited, and sealed with
   * the rest or later. In the other order neither would find it.
   */
  private async begun(): Promise<Chain> {
    const last = await this.store.lastSeal();
    const { highest } = await this.store.extent();
    const missing = await this.store.missing(Math.max(1, highest - IN_FLIGHT), highest);
    return { last, gaps: new SequenceGaps(highest, missing, this.clock.monotonicMs()), unlooked: highest };
  }

  /** Seals one batch of rows since the last check, including rows that committed late. @returns its size. */
  private async sealNew(chain: Chain): Promise<number> {
    const { gaps } = chain;
    const now = this.clock.monotonicMs();
    return this.sealed(chain, await this.store.newRows(gaps.seenUpTo, gaps.open(now), BATCH), now);
  }

  /** Seals one batch of unsealed rows among the last rows that were not scanned. @returns its size. */
  private async sealLeftOut(chain: Chain, upTo: number): Promise<number> {
    const after = Math.max(0, upTo - LOOKED_THROUGH_AT_ONCE);
    const now = this.clock.monotonicMs();
    const size = await this.sealed(chain, await this.store.unsealed(after, upTo, BATCH), now);
    if (size === BATCH) return size;
    const { lowest } = await this.store.extent();
    chain.unlooked = after >= lowest ? after : null;
    if (chain.unlooked === null) this.fullLookAtMs = now + FULL_LOOK_MS;
    return size;
  }

  private async sealed(chain: Chain, rows: readonly AuditRow[], now: number): Promise<number> {
    if (rows.length === 0) return 0;
    const seals = sealAll(chain.last, rows);
    await this.store.seal(seals);
    chain.last = seals.at(-1) ?? chain.last;
    chain.gaps.saw(
      rows.map(({ seq }) => seq),
      now,
    );
    return rows.length;
  }

  /** Logs the first of several failures, and drops the chain so that the next run reads it anew. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      const restMs = await work();
      this.failures.succeed();
      return restMs;
    } catch (error) {
      this.chain = null;
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
