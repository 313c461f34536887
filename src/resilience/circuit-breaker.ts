import type { Clock } from '../kernel/clock';
import { BreakerCounts, type BreakerThresholds } from './breaker-counts';
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

interface Closed {
  readonly state: 'closed';
}

interface Open {
  readonly state: 'open';
  readonly openedAt: Date;
  /** On the monotonic clock, which does not step; Infinity: forced open. */
  readonly trialAtMs: number;
}

interface HalfOpen extends Omit<Open, 'state'> {
  readonly state: 'half-open';
  /** Time from which another call takes the trial over. */
  readonly overdueAtMs: number;
}

/** A state with its own data. A call counts only if the circuit is still the object that admitted it. */
type Circuit = Closed | Open | HalfOpen;

/** Stops calling a peer that fails, and tries it again with one call after a break (docs/adr/0026). */
export class CircuitBreakerService {
  private readonly counts: BreakerCounts;
  private readonly breakMs: number;
  private readonly listeners = new Set<(transition: BreakerTransition) => void>();
  private circuit: Circuit = { state: 'closed' };
  private totalFailures = 0;
  private totalSuccesses = 0;

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
    this.counts = new BreakerCounts(settings);
  }

  get state(): BreakerState {
    return this.circuit.state;
  }

  /**
   * Calls the operation unless the circuit is open or its trial is running.
   *
   * @throws CircuitOpenError when refused without a fallback; else the operation's error.
   */
  async execute<T>(operation: () => Promise<T>, call?: BreakerCall<T>): Promise<T> {
    const circuit = this.admit();
    if (circuit === null) {
      if (call?.fallback) return call.fallback();
      throw new CircuitOpenError(this.nextAttemptAt());
    }
    let value: T;
    try {
      value = await operation();
    } catch (error) {
      const verdict = this.verdictOn(error, call?.signal);
      this.conclude(circuit, verdict);
      if (verdict === 'failed' && call?.fallback) return call.fallback();
      throw error;
    }
    this.conclude(circuit, 'answered');
    return value;
  }

  statistics(): BreakerStatistics {
    const { circuit, counts, totalFailures, totalSuccesses } = this;
    return {
      state: circuit.state,
      consecutiveFailures: counts.consecutiveFailures,
      totalFailures,
      totalSuccesses,
      failureRate: counts.failureRate(this.clock.monotonicMs()),
      openedAt: circuit.state === 'closed' ? null : circuit.openedAt,
      nextAttemptAt: this.nextAttemptAt(),
    };
  }

  /** Refuses every call until `forceClose` or `reset`. */
  forceOpen(): void {
    if (this.circuit.state === 'open') this.circuit = { ...this.circuit, trialAtMs: Infinity };
    else this.open(Infinity, true);
  }

  /** Lets every call through again; clears the counts, but not the totals. */
  forceClose(): void {
    this.close(true);
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

  /** Admits a call; null: refuses it. */
  private admit(): Circuit | null {
    const { circuit } = this;
    if (circuit.state === 'closed') return circuit;
    const nowMs = this.clock.monotonicMs();
    const overdueAtMs = nowMs + this.breakMs;
    if (circuit.state === 'open') {
      if (nowMs < circuit.trialAtMs) return null;
      return this.enter({ ...circuit, state: 'half-open', overdueAtMs });
    }
    if (nowMs < circuit.overdueAtMs) return null;
    return (this.circuit = { ...circuit, overdueAtMs });
  }

  private verdictOn(error: unknown, callerSignal: AbortSignal | undefined): Verdict {
    if (callerSignal?.aborted) return 'inconclusive';
    return this.countsAsFailure(error) ? 'failed' : 'answered';
  }

  private conclude(circuit: Circuit, verdict: Verdict): void {
    if (verdict === 'failed') this.totalFailures++;
    else if (verdict === 'answered') this.totalSuccesses++;
    if (circuit !== this.circuit) return;
    const trial = circuit.state === 'half-open' ? circuit : null;
    if (verdict === 'inconclusive') {
      if (trial) this.enter({ ...trial, state: 'open' });
    } else if (trial && verdict === 'answered') this.close();
    else {
      const nowMs = this.clock.monotonicMs();
      if (this.counts.record(verdict === 'failed', nowMs) || trial) this.open(nowMs + this.breakMs);
    }
  }

  private open(trialAtMs: number, forced = false): void {
    this.enter({ state: 'open', openedAt: this.clock.now(), trialAtMs }, forced);
  }

  private close(forced = false): void {
    this.counts.clear();
    this.enter({ state: 'closed' }, forced);
  }

  private enter<To extends Circuit>(circuit: To, forced = false): To {
    const transition = { from: this.circuit.state, to: circuit.state, forced };
    this.circuit = circuit;
    if (transition.from !== transition.to)
      for (const listener of this.listeners) notify(listener, transition);
    return circuit;
  }

  private nextAttemptAt(): Date | null {
    const { circuit } = this;
    if (circuit.state !== 'open' || circuit.trialAtMs === Infinity) return null;
    const remainingMs = circuit.trialAtMs - this.clock.monotonicMs();
    return new Date(this.clock.now().getTime() + Math.ceil(remainingMs));
  }
}
