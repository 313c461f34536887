import { z } from 'zod';
import { error, seen, skipped, telegramOff, warning, type Check } from '../check';

const breakerSchema = z.object({
  replica: z.string(),
  state: z.string(),
  consecutiveFailures: z.int(),
  nextAttemptAt: z.string().nullable(),
});

/** Checks that the circuit breaker to Telegram is closed, on the replica that answers. */
export const breakerCheck: Check = {
  name: 'breaker',
  async examine({ service, telegram }) {
    if (telegram === null) return telegramOff;
    if (service.key === null) return skipped('needs an operator’s key: set COUNTERSIGN_KEY');
    const answer = await service.get('/api/diagnostics/circuit-breaker', breakerSchema).catch(() => null);
    if (answer === null) return skipped('needs the service');
    if (answer.status === 401 || answer.status === 403) {
      return seen(
        'closed to this key',
        error(
          'the service does not take this key as an operator’s',
          'set COUNTERSIGN_KEY to an operator’s key',
        ),
      );
    }
    if (answer.body === null) return skipped('the service did not tell');
    const { state, replica, nextAttemptAt, consecutiveFailures } = answer.body;
    if (state === 'closed') return seen(`closed on ${replica}`);
    if (state === 'open' && nextAttemptAt === null) {
      return seen(
        `${state} by hand on ${replica}`,
        warning(
          `the circuit to Telegram is held open by hand on ${replica}`,
          'POST /api/diagnostics/circuit-breaker {"action": "close"} when Telegram may be used again',
        ),
      );
    }
    return seen(
      `${state} on ${replica}`,
      error(
        `the circuit to Telegram is ${state} on ${replica} after ${consecutiveFailures} failures in a row`,
        'nothing is lost: it is tried again by itself; if Telegram answers this check, look at the way out of that replica',
      ),
    );
  },
};
