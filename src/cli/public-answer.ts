import type { z } from 'zod';
import { MAX_ANSWER_BYTES } from '../agent-side/client/service-call';
import { boundedText } from '../kernel/bounded-text';

const ANSWER_WITHIN_MS = 15_000;

/** Reads a resource of the service that needs no key. @throws Error if there is no answer that the schema accepts. */
export async function publicAnswer<Schema extends z.ZodType>(
  url: string,
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const answer = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    redirect: 'error',
  });
  return schema.parse(JSON.parse(await boundedText(answer, MAX_ANSWER_BYTES)));
}
