import { z } from 'zod';
import { BotApiError, tooManyRequests } from './bot-api-error';

/**
 * A fault for the next calls, as `POST /sandbox/faults` takes it.
 *
 * - `method` a Bot API method or `*`; `chat` only calls that name this chat; `containing` only calls whose text or
 *   caption contains this
 * - `count` how many calls it hits, one by default; `probability` hits only this share of the matching calls
 * - `delayMs` waits before anything happens; the call is then processed even when the client has gone
 * - `status` (with `retryAfter` seconds for 429) answers an error; the call has no effect
 * - `description` replaces the usual description of the error
 * - `reset` cuts the TCP connection: with `before` the call has no effect; with `after` it has, without an answer
 * - `body` corrupts the answer: `html` (with `status` a gateway's error page, and the call has no effect),
 *   `truncated`, `empty`, `stall` (half of it, then silence), `drip` (a byte every 100 ms), `huge` (8 MiB of spaces
 *   after it). Without `status` the call has its effect
 * - `answer` any JSON in place of the answer, with status 200 or `status`; no effect unless `happens`
 */
export const faultSchema = z.strictObject({
  method: z.string().min(1),
  count: z.int().min(1).default(1),
  chat: z.union([z.int(), z.string()]).optional(),
  containing: z.string().min(1).optional(),
  status: z.int().min(400).max(599).optional(),
  retryAfter: z.int().min(1).optional(),
  description: z.string().optional(),
  delayMs: z.int().min(0).max(600_000).optional(),
  reset: z.enum(['before', 'after']).optional(),
  body: z.enum(['html', 'truncated', 'empty', 'stall', 'drip', 'huge']).optional(),
  answer: z.unknown().optional(),
  happens: z.boolean().optional(),
  probability: z.number().min(0).max(1).optional(),
});

export type Fault = Readonly<z.infer<typeof faultSchema>>;

/** The faults that still wait for calls; a call uses up the first one that matches it. */
export class Faults {
  private waiting: { readonly fault: Fault; left: number }[] = [];

  constructor(private readonly random: () => number = Math.random) {}

  add(fault: Fault): void {
    this.waiting.push({ fault, left: fault.count });
  }

  clear(): void {
    this.waiting = [];
  }

  list(): (Fault & { left: number })[] {
    return this.waiting.map(({ fault, left }) => ({ ...fault, left }));
  }

  take(method: string, chat: string | undefined, text = ''): Fault | null {
    const found = this.waiting.find(
      ({ fault }) =>
        (fault.method === '*' || fault.method.toLowerCase() === method.toLowerCase()) &&
        (fault.chat === undefined || String(fault.chat) === chat) &&
        (fault.containing === undefined || text.includes(fault.containing)) &&
        (fault.probability === undefined || this.random() < fault.probability),
    );
    if (!found) return null;
    found.left -= 1;
    if (found.left === 0) this.waiting = this.waiting.filter((w) => w !== found);
    return found.fault;
  }
}

const USUAL_WORDS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden: bot was blocked by the user',
  404: 'Not Found',
  409: 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** The error that a fault answers, or null if it lets the call through. */
export function faultError({ status, retryAfter, description }: Fault): BotApiError | null {
  if (status === undefined) return null;
  if (status === 429) return tooManyRequests(retryAfter ?? 1);
  const parameters = retryAfter === undefined ? undefined : { retry_after: retryAfter };
  return new BotApiError(status, description ?? USUAL_WORDS[status] ?? 'Error', parameters);
}
