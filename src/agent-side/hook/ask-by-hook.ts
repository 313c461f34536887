import { randomUUID } from 'node:crypto';
import { ReceiptRefused } from '../../receipts/verify-receipt';
import type { CountersignClient } from '../client';
import type { Ask } from '../client/approval-wire';
import { ServiceRefused, ServiceUnreachable } from '../client/service-errors';
import { denialOf, failureOf } from '../run/denials';
import type { HookCall } from './hook-forms';

/** Time for a request to be cancelled after the hook was ended. An agent kills a hook that takes longer. */
const CANCEL_WITHIN_MS = 3_000;
/** Time in which operators are told that the agent goes on. The agent waits for it. */
const ACKNOWLEDGE_WITHIN_MS = 1_000;

export interface HookAsking {
  readonly client: CountersignClient;
  readonly agentId: string;
  /** Seconds that operators have. */
  readonly waitSeconds: number;
  /** Aborts, with the reason as text, when the hook must answer. */
  readonly signal: AbortSignal;
}

/** `undecided`: the call only reads, and no rule has a say, so the agent applies its own rules. */
export type HookVerdict = 'allowed' | 'undecided' | { readonly denial: string };

/**
 * Asks for one call and waits. Each call is a request of its own: a hook has no retries.
 *
 * @returns `allowed` if it is approved and the receipt says so; a denial has the reason for the model. Never rejects.
 */
export async function askByHook(call: HookCall, asking: HookAsking): Promise<HookVerdict> {
  const { client, agentId, waitSeconds, signal } = asking;
  const { sessionId, reads = false, ...action } = call;
  const ask: Ask = { agentId, sessionId, ...action, timeoutSeconds: waitSeconds };
  const idempotencyKey = randomUUID();
  try {
    const options = { idempotencyKey, signal };
    const asked = await (reads ? client.enqueueIfRuled(ask, options) : client.enqueue(ask, options));
    if (asked === null) return 'undecided';
    const settled = await client.settled(asked, { signal });
    if (settled.status !== 'approved') return { denial: denialOf(settled) };
    await client.verify(settled, { agentId, sessionId, action }, { signal });
    const within = AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS);
    // Only the text of the card depends on it.
    await client.acknowledge(settled.id, 'resumed', { signal: within }).catch(() => undefined);
    return 'allowed';
  } catch (error) {
    if (!signal.aborted) return { denial: failureOf(causeOf(error)) };
    const why = String(signal.reason);
    await takeBack(ask, { idempotencyKey, reads, why }, client);
    return { denial: failureOf(why) };
  }
}

/** Best effort: a request that is not found or not cancelled expires. */
async function takeBack(
  ask: Ask,
  { idempotencyKey, reads, why }: { idempotencyKey: string; reads: boolean; why: string },
  client: CountersignClient,
): Promise<void> {
  const within = AbortSignal.timeout(CANCEL_WITHIN_MS);
  try {
    // The service may have stored the request before the hook knew its id.
    const options = { idempotencyKey, signal: within };
    const asked = await (reads ? client.enqueueIfRuled(ask, options) : client.enqueue(ask, options));
    if (asked !== null) await client.cancel(asked.id, why, { signal: within });
  } catch {
    // The request was settled a moment before, or the service is away.
  }
}

/** Text for the model: only the messages of known errors are meant for it. */
function causeOf(error: unknown): string {
  if (error instanceof ServiceUnreachable) return `the service cannot be reached (${error.message})`;
  const isKnown = error instanceof ServiceRefused || error instanceof ReceiptRefused;
  return isKnown ? error.message.replace(/\.$/, '') : 'something went wrong in the hook';
}
