import fc from 'fast-check';
import type { BreakerState } from '../../../src/resilience/circuit-breaker';
import { BreakerRig, SETTINGS, type PendingCall } from './breaker-rig';

const BREAK_MS = SETTINGS.breakSeconds * 1000;
const WINDOW_MS = SETTINGS.samplingSeconds * 1000;
/** The window slides in steps of a 300th. */
const STEP_MS = WINDOW_MS / 300;

type Outcome = 'succeed' | 'fail' | 'refuse' | 'give-up';

/** A call as the model sees it: the generation it began in decides whether its outcome still counts. */
interface ModelCall {
  readonly generation: number;
  readonly trial: boolean;
}

/** The breaker in its plainest form: it keeps every outcome and evaluates all of them for every question. */
class Model {
  nowMs = 0;
  state: BreakerState = 'closed';
  held = false;
  generation = 0;
  openedAtMs = 0;
  trialBeganAtMs = 0;
  inARow = 0;
  outcomes: { atMs: number; failed: boolean }[] = [];
  failures = 0;
  successes = 0;

  /** Null: refused. */
  begin(): ModelCall | null {
    const waitedMs = this.nowMs - (this.state === 'open' ? this.openedAtMs : this.trialBeganAtMs);
    if (this.held) return null;
    if (this.state !== 'closed') {
      if (waitedMs < BREAK_MS) return null;
      this.move('half-open');
      this.trialBeganAtMs = this.nowMs;
    }
    return { generation: this.generation, trial: this.state === 'half-open' };
  }

  end(call: ModelCall, outcome: Outcome): void {
    if (outcome === 'fail') this.failures++;
    else if (outcome !== 'give-up') this.successes++;
    if (call.generation !== this.generation) return;
    if (outcome === 'give-up') {
      if (call.trial) this.move('open');
    } else if (outcome === 'fail') {
      this.count(true);
      if (call.trial || this.shouldOpen()) this.open();
    } else if (call.trial) {
      this.close();
    } else {
      this.count(false);
      if (this.shouldOpen()) this.open();
    }
  }

  forceOpen(): void {
    this.held = true;
    if (this.state === 'open') return;
    this.open();
  }

  close(): void {
    this.move('closed');
    this.held = false;
    this.inARow = 0;
    this.outcomes = [];
  }

  get failureRate(): number {
    const recent = this.recent();
    return recent.length === 0 ? 0 : recent.filter(({ failed }) => failed).length / recent.length;
  }

  private open(): void {
    this.move('open');
    this.openedAtMs = this.nowMs;
  }

  private move(to: BreakerState): void {
    this.state = to;
    this.generation++;
  }

  private count(failed: boolean): void {
    this.inARow = failed ? this.inARow + 1 : 0;
    this.outcomes.push({ atMs: this.nowMs, failed });
  }

  private shouldOpen(): boolean {
    return this.inARow >= 5 || (this.recent().length >= 10 && this.failureRate >= 0.5);
  }

  private recent() {
    const step = (atMs: number) => Math.floor(atMs / STEP_MS);
    return this.outcomes.filter(({ atMs }) => step(atMs) > step(this.nowMs) - WINDOW_MS / STEP_MS);
  }
}

interface Real {
  readonly rig: BreakerRig;
  /** In the order they began; a call is taken out when it ends. */
  readonly running: {
    readonly call: PendingCall;
    readonly caller: AbortController;
    readonly model: ModelCall;
  }[];
}

type BreakerCommand = fc.AsyncCommand<Model, Real>;

function compare(model: Model, { rig }: Real): void {
  const open = model.state === 'open';
  const now = rig.clock.now().getTime();
  expect(rig.breaker.statistics()).toEqual({
    state: model.state,
    consecutiveFailures: model.inARow,
    totalFailures: model.failures,
    totalSuccesses: model.successes,
    failureRate: model.failureRate,
    openedAt: model.state === 'closed' ? null : new Date(now - model.nowMs + model.openedAtMs),
    nextAttemptAt: open && !model.held ? new Date(now - model.nowMs + model.openedAtMs + BREAK_MS) : null,
  });
}

/** A step that is always possible and is followed by the comparison. */
const step = (name: string, run: (model: Model, real: Real) => Promise<void> | void): BreakerCommand => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    compare(model, real);
  },
  toString: () => name,
});

async function begin(model: Model, { rig, running }: Real): Promise<void> {
  const caller = new AbortController();
  const call = rig.begin({ signal: caller.signal });
  const expected = model.begin();
  if (expected) {
    running.push({ call, caller, model: expected });
  } else {
    expect(await call.outcome).toMatchObject({ reason: { name: 'CircuitOpenError' } });
  }
  expect(call.started).toBe(expected !== null);
}

async function end(model: Model, { running }: Real, which: number, outcome: Outcome): Promise<void> {
  const [picked] = running.splice(which % Math.max(1, running.length), 1);
  if (!picked) return;
  model.end(picked.model, outcome);
  if (outcome === 'give-up') picked.caller.abort();
  await picked.call.end(outcome === 'give-up' ? 'fail' : outcome);
}

const outcome = fc.constantFrom<Outcome>('succeed', 'fail', 'fail', 'refuse', 'give-up');

const wholeCall = outcome.map((how) =>
  step(`call(${how})`, async (model, real) => {
    const before = real.running.length;
    await begin(model, real);
    if (real.running.length > before) await end(model, real, before, how);
  }),
);

const failures = fc.integer({ min: 1, max: 8 }).map((times) =>
  step(`fail x ${times}`, async (model, real) => {
    for (let i = 0; i < times; i++) {
      const before = real.running.length;
      await begin(model, real);
      if (real.running.length > before) await end(model, real, before, 'fail');
    }
  }),
);

const beginning = fc.constant(step('begin', begin));

const ending = fc
  .tuple(fc.nat({ max: 5 }), outcome)
  .map(([which, how]) => step(`end(${which}, ${how})`, (model, real) => end(model, real, which, how)));

const passing = fc
  .oneof(fc.nat({ max: 100 }), fc.constantFrom(1000, 29_900, 29_999, 30_000, 30_001, 90_000))
  .map((ms) =>
    step(`advance(${ms})`, (model, { rig }) => {
      rig.clock.advance(ms);
      model.nowMs += ms;
    }),
  );

const byHand = fc.constantFrom(
  step('forceOpen', (model, { rig }) => {
    rig.breaker.forceOpen();
    model.forceOpen();
  }),
  step('forceClose', (model, { rig }) => {
    rig.breaker.forceClose();
    model.close();
  }),
  step('reset', (model, { rig }) => {
    rig.breaker.reset();
    model.close();
    model.failures = 0;
    model.successes = 0;
  }),
);

/** Each is drawn as often as it stands here: hands seldom, or the circuit would hardly ever open and recover. */
const commands = [
  ...[wholeCall, wholeCall, wholeCall, failures, failures],
  ...[beginning, beginning, beginning, ending, ending, ending],
  ...[passing, passing, passing],
  byHand,
];

/** Visits of the histories to each state, to prove that they explored more than the closed one. */
const visits: Record<BreakerState, number> = { closed: 0, open: 0, 'half-open': 0 };

it('behaves as the model does under any history of calls, time and hands', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), async (history) => {
      const real: Real = { rig: new BreakerRig(), running: [] };
      await fc.asyncModelRun(() => ({ model: new Model(), real }), history);
      for (const { to } of real.rig.transitions) visits[to]++;
    }),
    { numRuns: 300 },
  );
  for (const count of Object.values(visits)) expect(count).toBeGreaterThan(50);
});
