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

/**
 * Asks for one call and waits. Each call is a request of its own: a hook has no retries.
 *
 * @returns null if it is approved and the receipt says so, else the reason for the model. Never rejects.
 */
export async function askByHook(call: HookCall, asking: HookAsking): Promise<string | null> {
  const { client, agentId, waitSeconds, signal } = asking;
  const { sessionId, ...action } = call;
  const ask: Ask = { agentId, sessionId, ...action, timeoutSeconds: waitSeconds };
  const idempotencyKey = randomUUID();
  try {
    const settled = await client.settled(await client.enqueue(ask, { idempotencyKey, signal }), { signal });
    if (settled.status !== 'approved') return denialOf(settled);
    await client.verify(settled, { agentId, sessionId, action }, { signal });
    const within = AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS);
    // Only the text of the card depends on it.
    await client.acknowledge(settled.id, 'resumed', { signal: within }).catch(() => undefined);
    return null;
  } catch (error) {
    if (!signal.aborted) return failureOf(causeOf(error));
    const why = String(signal.reason);
    await takeBack(ask, idempotencyKey, why, client);
    return failureOf(why);
  }
}

/** Best effort: a request that is not found or not cancelled expires. */
async function takeBack(
  ask: Ask,
  idempotencyKey: string,
  why: string,
  client: CountersignClient,
): Promise<void> {
  const within = AbortSignal.timeout(CANCEL_WITHIN_MS);
  try {
    // The service may have stored the request before the hook knew its id.
    const { id } = await client.enqueue(ask, { idempotencyKey, signal: within });
    await client.cancel(id, why, { signal: within });
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
