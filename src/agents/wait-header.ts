import { z } from 'zod';
import { parsed } from '../http/zod';

export const MAX_WAIT_SECONDS = 86_400;

const schema = z.object({
  'Countersign-Wait-Seconds': z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number of seconds')
    .transform(Number)
    .refine(
      (seconds) => seconds >= 1 && seconds <= MAX_WAIT_SECONDS,
      `must be from 1 to ${MAX_WAIT_SECONDS} seconds`,
    )
    .optional(),
});

/**
 * The time within which a caller wants its answer; undefined if it does not say.
 *
 * @throws InvalidInput
 */
export function waitSecondsIn(header: string | string[] | undefined): number | undefined {
  return parsed(schema, { 'Countersign-Wait-Seconds': header })['Countersign-Wait-Seconds'];
}
