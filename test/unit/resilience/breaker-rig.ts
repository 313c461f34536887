import {
  CircuitBreakerService,
  type BreakerCall,
  type BreakerSettings,
  type BreakerTransition,
} from '../../../src/resilience/circuit-breaker';
import { FakeClock } from '../../support/fake-clock';

export const SETTINGS: BreakerSettings = {
  consecutiveFailures: 5,
  failureRate: 0.5,
  minimumThroughput: 10,
  samplingSeconds: 30,
  breakSeconds: 30,
};

/** The peer fails a call: it breaks down, or it answers with a refusal. */
export class PeerDown extends Error {}
export class PeerRefuses extends Error {}

/** A call whose end is in the hand of the test. */
export interface PendingCall {
  readonly started: boolean;
  readonly outcome: Promise<PromiseSettledResult<string>>;
  end(how: 'succeed' | 'fail' | 'refuse'): Promise<void>;
}

/** A breaker on a clock that stands still, and the calls a test makes through it. */
export class BreakerRig {
  readonly clock = new FakeClock();
  readonly breaker: CircuitBreakerService;
  readonly transitions: BreakerTransition[] = [];

  constructor(settings: Partial<BreakerSettings> = {}) {
    this.breaker = new CircuitBreakerService(
      { ...SETTINGS, ...settings },
      (error) => error instanceof PeerDown,
      this.clock,
    );
    this.breaker.onStateChange((transition) => this.transitions.push(transition));
  }

  get path(): string {
    return this.transitions
      .map(({ from, to, forced }) => `${from} > ${to}${forced ? ' by hand' : ''}`)
      .join(', ');
  }

  succeed(): Promise<PromiseSettledResult<string>> {
    return settled(this.breaker.execute(() => Promise.resolve('answer')));
  }

  fail(): Promise<PromiseSettledResult<string>> {
    return settled(this.breaker.execute(() => Promise.reject(new PeerDown('down'))));
  }

  refuse(): Promise<PromiseSettledResult<string>> {
    return settled(this.breaker.execute(() => Promise.reject(new PeerRefuses('bad request'))));
  }

  /** `f` fails, `s` succeeds, `r` is refused by the peer: one after the other. */
  async run(outcomes: string): Promise<void> {
    for (const outcome of outcomes) {
      await (outcome === 'f' ? this.fail() : outcome === 's' ? this.succeed() : this.refuse());
    }
  }

  /** Begins a call and leaves it open. */
  begin(call?: BreakerCall<string>): PendingCall {
    let started = false;
    let resolve!: (value: string) => void;
    let reject!: (error: Error) => void;
    const answer = new Promise<string>((yes, no) => ([resolve, reject] = [yes, no]));
    const operation = () => {
      started = true;
      return answer;
    };
    const outcome = settled(this.breaker.execute(operation, call));
    return {
      outcome,
      get started() {
        return started;
      },
      async end(how) {
        if (how === 'succeed') resolve('answer');
        else reject(how === 'fail' ? new PeerDown('down') : new PeerRefuses('bad request'));
        await outcome;
      },
    };
  }

  /** Opens it by failures and lets the break pass: the next call is the trial. */
  async toTrial(): Promise<void> {
    await this.run('fffff');
    this.clock.advance(30_000);
  }
}

export async function settled<T>(call: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([call]);
  return result;
}
