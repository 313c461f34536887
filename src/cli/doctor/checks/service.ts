import { z } from 'zod';
import { describeError } from '../../../kernel/describe-error';
import { error, seen, warning, type Check } from '../check';

const healthSchema = z.object({
  status: z.string(),
  details: z.record(
    z.string(),
    z.looseObject({ status: z.string(), degraded: z.boolean().optional(), reason: z.string().optional() }),
  ),
});

/** Checks that the service answers and reports itself healthy. */
export const serviceCheck: Check = {
  name: 'service',
  async examine({ service }) {
    const answer = await service
      .get('/health', healthSchema)
      .catch((reason: unknown) => describeError(reason));
    if (typeof answer === 'string') {
      return seen(
        'away',
        error(
          answer,
          'start the service, or say with --url where it is; docs/operations-runbook.md, section 3',
        ),
      );
    }
    if (answer.body === null) {
      return seen(
        'a stranger',
        error(`what answers at ${service.url} is not Countersign`, 'give the right --url'),
      );
    }
    const troubles = Object.entries(answer.body.details).flatMap(([part, { status, degraded, reason }]) => {
      const why = reason ?? status;
      if (status !== 'up') return [error(`${part}: ${why}`, `see the findings about ${part} here`)];
      return degraded === true
        ? [warning(`${part} is degraded: ${why}`, 'docs/operations-runbook.md, section 5')]
        : [];
    });
    return seen(`${service.url} is ${answer.body.status}`, ...troubles);
  },
};
