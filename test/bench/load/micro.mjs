import { built } from '../harness/stage.mjs';
import { serve } from '../harness/rpc.mjs';

const CALLS = 300_000;
const SETTINGS = {
  consecutiveFailures: 5,
  failureRate: 0.5,
  minimumThroughput: 10,
  samplingSeconds: 30,
  breakSeconds: 30,
};

const { CircuitBreakerService } = built('resilience/circuit-breaker.js');
const { createGuard } = built('resilience/compose.js');
const { SystemClock } = built('kernel/clock.js');

const breaker = () => new CircuitBreakerService(SETTINGS, () => true, new SystemClock());

let answers = 0;
/** The measured call: one that the compiler cannot leave out, and nothing else. */
const operation = async () => ++answers;

/** Milliseconds a call. */
async function each(call) {
  const startedAt = performance.now();
  for (let n = 0; n < CALLS; n++) await call();
  return (performance.now() - startedAt) / CALLS;
}

const closed = breaker();
const guard = createGuard({
  retry: { maxAttempts: 3, initialDelayMs: 1_000, maxDelayMs: 16_000, jitter: true },
  classify: () => ({ kind: 'transient' }),
  breaker: breaker(),
  timeoutMs: 10_000,
});

serve({
  bare: () => each(() => operation()),
  breaker: () => each(() => closed.execute(operation)),
  guard: () => each(() => guard.execute(operation)),
});
