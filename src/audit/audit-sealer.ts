import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LeaseStore } from '../database/lease-store';
import { Clock } from '../kernel/clock';
import { describeError, Log } from '../logging/log';
import { sealAll, type AuditRow, type Seal } from './audit-chain';
import { AuditCheckpoints } from './audit-checkpoints';
import { AuditStore, LOOKED_THROUGH_AT_ONCE } from './audit-store';
import { SequenceGaps } from './sequence-gaps';

const SEALER_LEASE = 'audit-sealer';
/** A dead sealer is followed by another replica within this and its next look: two seconds. */
const LEASE_SECONDS = 1.5;
/** Seals are at most a second behind: several looks a second, each a short index scan when there is nothing. */
const LOOK_MS = 250;
/** How often a replica that does not seal looks whether it should. */
const STANDBY_MS = 500;
/** Between full batches: what must be sealed can wait, those who make it are being waited for. */
const BREATHER_MS = 50;
/** Bounds how long one batch keeps this process from its other work. */
const BATCH = 500;
/** The log is looked through once an hour, in case a row came to be later than any transaction may take. */
const FULL_LOOK_MS = 3_600_000;

/** The constraint that a seal violates when the chain has grown since it was read. */
const SEAL_NUMBER = 'pk_audit_seals';

/** Among this many numbers below the highest, those that are missing may belong to transactions that still run. */
const IN_FLIGHT = 10_000;
/** The lease is renewed this often, and not with every look. */
const RENEW_MS = 500;

interface Chain {
  last: Pick<Seal, 'number' | 'hash'>;
  readonly gaps: SequenceGaps;
  /** Rows up to here have still to be looked through for what was left out, from the end; null once all were. */
  unlooked: number | null;
}

/** Gives every row of the audit log its seal, on one replica at a time, beside the writers and never in their way. */
@Injectable()
export class AuditSealer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<void> | null = null;
  /** What is known of the chain; read anew with every lease and after every failure. */
  private chain: Chain | null = null;
  private holding = false;
  private renewAtMs = 0;
  private fullLookAtMs = 0;
  private failing = false;

  constructor(
    private readonly store: AuditStore,
    private readonly leases: LeaseStore,
    private readonly checkpoints: AuditCheckpoints,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

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
      if (restMs > 0) await sleep(restMs, undefined, { signal: this.stop.signal }).catch(() => undefined);
    }
    await this.guarded(() => this.leave());
  }

  /** The last rows get their seals, a batch of them, and a checkpoint that a restored or altered database is held against. */
  private async leave(): Promise<number> {
    if (!this.holding) return 0;
    await this.seal(this.clock.monotonicMs());
    await this.checkpoints.exportNow();
    await this.leases.release(SEALER_LEASE);
    return 0;
  }

  /** Seals, if it is this replica's turn. @returns how long to rest, in milliseconds. */
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

  /** A batch of what was left out, if that has to be looked for, and one of what is new. @returns whether one was full. */
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
   * What has no row yet is asked for before what has no seal: a row that commits in between is waited for, and sealed with
   * the rest or later. The other way round it would be neither.
   */
  private async begun(): Promise<Chain> {
    const last = await this.store.lastSeal();
    const { highest } = await this.store.extent();
    const missing = await this.store.missing(Math.max(1, highest - IN_FLIGHT), highest);
    return { last, gaps: new SequenceGaps(highest, missing, this.clock.monotonicMs()), unlooked: highest };
  }

  /** One batch of what came since the last look, rows that committed late among them. @returns its size. */
  private async sealNew(chain: Chain): Promise<number> {
    const { gaps } = chain;
    const now = this.clock.monotonicMs();
    return this.sealed(chain, await this.store.newRows(gaps.seenUpTo, gaps.open(now), BATCH), now);
  }

  /** One batch of what has no seal among the last rows that were not looked through. @returns its size. */
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

  /** Trouble is told once, and the chain is read anew before anything more is added to it. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      const restMs = await work();
      this.failing = false;
      return restMs;
    } catch (error) {
      this.chain = null;
      this.holding = false;
      // Its lease ran out while it had no time to work: the number of the seal keeps the chain one, and this is no fault.
      if ((error as { constraint?: unknown }).constraint === SEAL_NUMBER) {
        this.log.event('info', 'audit.sealer-overtaken', {}, 'another replica seals the audit log by now');
        return STANDBY_MS;
      }
      if (!this.failing) {
        const fields = { error: describeError(error) };
        this.log.event(
          'error',
          'audit.sealing-failed',
          fields,
          'the audit log is not sealed; it is tried again',
        );
      }
      this.failing = true;
      return STANDBY_MS;
    }
  }
}
