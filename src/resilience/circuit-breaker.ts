import { circuitBreaker, CircuitState, handleWhenResult, type IBackoff } from 'cockatiel';
import type { Clock } from '../kernel/clock';
import { ConsecutiveOrRateBreaker, type BreakerThresholds } from './consecutive-or-rate-breaker';
import { notify } from './notify';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerSettings extends BreakerThresholds {
  /**
   * Time for which the circuit stays open before a trial; a trial that takes longer than this is replaced by another.
   */
  readonly breakSeconds: number;
}

export interface BreakerStatistics {
  readonly state: BreakerState;
  readonly consecutiveFailures: number;
  /** Since the start or the last `reset`; refused calls count as neither. */
  readonly totalFailures: number;
  readonly totalSuccesses: number;
  /** 0 to 1, of the calls in the sampling window; 0 without calls. */
  readonly failureRate: number;
  /** Null while closed. */
  readonly openedAt: Date | null;
  /** Time of the next trial call; null unless the circuit is open and not forced open. */
  readonly nextAttemptAt: Date | null;
}

export interface BreakerTransition {
  readonly from: BreakerState;
  readonly to: BreakerState;
  /** True if caused by `forceOpen`, `forceClose` or `reset`. */
  readonly forced: boolean;
}

export interface BreakerCall<T> {
  /** The caller's own signal: a failure after its abort does not count for or against the peer. */
  readonly signal?: AbortSignal | undefined;
  /** Answers in place of a refusal and of a failure that counts. */
  readonly fallback?: (() => T | Promise<T>) | undefined;
}

/** The breaker refused the call without trying it. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';

  /** @param nextAttemptAt null: unknown, because a trial is running or the circuit is forced open. */
  constructor(readonly nextAttemptAt: Date | null) {
    super('The circuit is open.');
  }
}

/** `inconclusive`: the caller gave up, so the result does not count for or against the peer. */
type Verdict = 'answered' | 'failed' | 'inconclusive';

interface Trial {
  readonly judge: (verdict: Verdict) => void;
  /** Resolves once cockatiel has acted on the verdict. */
  readonly judged: Promise<unknown>;
}

/**
 * cockatiel measures the break with `Date.now()`, which a clock step could stretch for hours. The service measures it
 * on the monotonic clock instead. This backoff then admits the trial, whatever `Date.now()` returns.
 */
const WAITED_ALREADY: IBackoff<unknown> = { duration: -Infinity, next: () => WAITED_ALREADY };

/**
 * Stops calling a peer that fails, and tries it again with one call after a break.
 *
 * cockatiel is the state machine (closed, open, half-open, isolated). It gets verdicts instead of the calls, for three
 * reasons. Its half-open state parks callers and then releases them all at once. A trial that never ends would block it
 * for ever. Two promises less per call make a closed circuit half as expensive.
 */
export class CircuitBreakerService {
  private readonly breaker: ConsecutiveOrRateBreaker;
  private readonly policy;
  private readonly breakMs: number;
  private readonly listeners = new Set<(transition: BreakerTransition) => void>();
  private current: BreakerState = 'closed';
  /** A call that began in an earlier era must not change the state. */
  private era = 0;
  private totalFailures = 0;
  private totalSuccesses = 0;
  private openedAt: Date | null = null;
  private breakEndsAtMs = 0;
  private trial: Trial | null = null;
  private trialOverdueAtMs = 0;
  private isolation: { dispose(): void } | null = null;

  /**
   * @param countsAsFailure true if an error shows that the peer is unwell. Any other error is an answer and counts as a
   * success: a peer that answers 400 or 429 is alive.
   */
  constructor(
    settings: BreakerSettings,
    private readonly countsAsFailure: (error: unknown) => boolean,
    private readonly clock: Clock,
  ) {
    this.breakMs = settings.breakSeconds * 1000;
    this.breaker = new ConsecutiveOrRateBreaker(settings);
    this.policy = circuitBreaker(
      handleWhenResult((verdict) => verdict !== 'answered'),
      { breaker: this.breaker, halfOpenAfter: WAITED_ALREADY },
    );
    this.policy.onStateChange((state) => {
      if (state === CircuitState.Closed) this.enter('closed');
      else if (state === CircuitState.Open) this.enter('open');
      else if (state === CircuitState.HalfOpen) this.enter('half-open');
      // Isolated is for `forceOpen` to announce: closing by hand passes through it too.
    });
  }

  get state(): BreakerState {
    return this.current;
  }

  /**
   * Calls the operation unless the circuit is open or its trial is running.
   *
   * @throws CircuitOpenError when refused without a fallback; else the operation's error.
   */
  async execute<T>(operation: () => Promise<T>, call?: BreakerCall<T>): Promise<T> {
    if (this.current !== 'closed' && !this.admitsTrial()) {
      if (call?.fallback) return call.fallback();
      throw new CircuitOpenError(this.nextAttemptAt());
    }
    const era = this.era;
    let value: T;
    try {
      value = await operation();
    } catch (error) {
      const verdict = this.verdictOn(error, call?.signal);
      await this.conclude(verdict, era);
      if (verdict === 'failed' && call?.fallback) return call.fallback();
      throw error;
    }
    const transition = this.conclude('answered', era);
    if (transition) await transition;
    return value;
  }

  statistics(): BreakerStatistics {
    return {
      state: this.current,
      consecutiveFailures: this.breaker.consecutiveFailures,
      totalFailures: this.totalFailures,
      totalSuccesses: this.totalSuccesses,
      failureRate: this.breaker.failureRate(this.clock.monotonicMs()),
      openedAt: this.openedAt,
      nextAttemptAt: this.nextAttemptAt(),
    };
  }

  /** Refuses every call until `forceClose` or `reset`. */
  forceOpen(): void {
    this.isolation ??= this.policy.isolate();
    this.trial = null;
    if (this.current === 'open') return;
    this.openedAt = this.clock.now();
    this.enter('open');
  }

  /** Lets every call through again; clears the counts, but not the totals. */
  forceClose(): void {
    this.trial = null;
    if (this.current === 'closed') {
      this.breaker.clear();
      this.era++;
      return;
    }
    // Isolating is cockatiel's only way from open or half-open to closed by hand.
    this.isolation ??= this.policy.isolate();
    this.isolation.dispose();
    this.isolation = null;
  }

  /** Closes the circuit and sets the totals to zero. */
  reset(): void {
    this.forceClose();
    this.totalFailures = 0;
    this.totalSuccesses = 0;
  }

  /** @returns a function that ends the subscription. */
  onStateChange(listener: (transition: BreakerTransition) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** True if the current call is admitted as the trial. */
  private admitsTrial(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.current === 'open') {
      if (this.isolation || nowMs < this.breakEndsAtMs) return false;
      this.beginTrial();
    } else {
      if (!this.trial || nowMs < this.trialOverdueAtMs) return false;
      // This call takes the trial over; the result of the earlier one no longer counts.
      this.era++;
    }
    this.trialOverdueAtMs = nowMs + this.breakMs;
    return true;
  }

  private beginTrial(): void {
    let judge!: (verdict: Verdict) => void;
    const verdict = new Promise<Verdict>((resolve) => (judge = resolve));
    this.trial = { judge, judged: this.policy.execute(() => verdict) };
  }

  private async endTrial(verdict: Verdict): Promise<void> {
    const trial = this.trial;
    if (!trial) return;
    this.trial = null;
    if (verdict === 'failed') {
      this.breaker.record(true, this.clock.monotonicMs());
      this.startBreak();
    }
    trial.judge(verdict);
    await trial.judged;
  }

  private verdictOn(error: unknown, callerSignal: AbortSignal | undefined): Verdict {
    if (callerSignal?.aborted) return 'inconclusive';
    return this.countsAsFailure(error) ? 'failed' : 'answered';
  }

  /** Counts an outcome; returns a promise when the state is about to change. */
  private conclude(verdict: Verdict, era: number): Promise<unknown> | undefined {
    if (verdict === 'failed') this.totalFailures++;
    else if (verdict === 'answered') this.totalSuccesses++;
    if (era !== this.era) return undefined;
    if (this.current === 'half-open') return this.endTrial(verdict);
    if (verdict === 'inconclusive') return undefined;
    if (!this.breaker.record(verdict === 'failed', this.clock.monotonicMs())) return undefined;
    this.startBreak();
    return this.policy.execute((): Verdict => 'failed');
  }

  private startBreak(): void {
    this.openedAt = this.clock.now();
    this.breakEndsAtMs = this.clock.monotonicMs() + this.breakMs;
  }

  private enter(to: BreakerState): void {
    const transition = { from: this.current, to, forced: this.isolation !== null };
    this.current = to;
    this.era++;
    if (to === 'closed') {
      this.openedAt = null;
      this.breaker.clear();
    }
    for (const listener of this.listeners) notify(listener, transition);
  }

  private nextAttemptAt(): Date | null {
    if (this.current !== 'open' || this.isolation) return null;
    const remainingMs = this.breakEndsAtMs - this.clock.monotonicMs();
    return new Date(this.clock.now().getTime() + Math.ceil(remainingMs));
  }
}
