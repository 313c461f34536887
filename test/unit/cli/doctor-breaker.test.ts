import { breakerCheck } from '../../../src/cli/doctor/checks/breaker';
import type { Surroundings } from '../../../src/cli/doctor/surroundings';

/** Surroundings whose service has a circuit in this state, with no time set for the next attempt. */
const withCircuit = (state: string): Surroundings =>
  ({
    telegram: {},
    service: {
      key: 'k',
      get: () =>
        Promise.resolve({
          status: 200,
          body: { replica: 'host:1', state, consecutiveFailures: 5, nextAttemptAt: null },
        }),
    },
  }) as unknown as Surroundings;

describe('the doctor’s look at the circuit to Telegram', () => {
  it.each([
    ['open', 'warning', /held open by hand on host:1/],
    ['half-open', 'error', /half-open on host:1 after 5 failures/],
  ])('%s without a next attempt is a finding of its own', async (state, severity, says) => {
    const { findings } = await breakerCheck.examine(withCircuit(state));
    expect(findings).toMatchObject([{ severity, message: expect.stringMatching(says) as string }]);
  });
});
