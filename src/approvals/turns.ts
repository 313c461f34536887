import { sha256Hex } from '../kernel/canonical-json';

/** Calls of a session that were asked within this time are one turn. */
export const TURN_MS = 1_000;

/** Telegram formats at most 100 pieces of a message, and more calls cannot be read at once. */
export const MAX_CALLS_OF_TURN = 10;

/** Fewer calls are decided on their cards. */
export const MIN_CALLS_OF_TURN = 2;

/** A pending request of a session that is in no turn yet. */
export interface WaitingCall {
  /** Ids order the requests by the time at which they were asked. */
  readonly id: string;
  readonly createdAt: Date;
  /**
   * - `shown`: its complete card is in the chat.
   * - `due`: its card is still to be sent.
   * - `failing`: its card could not be sent, and is retried.
   */
  readonly card: 'shown' | 'due' | 'failing';
}

export interface TurnPlan<Call> {
  /** The calls of each turn whose cards are all in the chat. */
  readonly turns: readonly (readonly Call[])[];
  /** True if there will be more turns when cards that are due have been sent. */
  readonly isWaiting: boolean;
}

/**
 * Groups the waiting calls of one session into turns. A turn begins with the first call that is in none, and has all calls
 * within {@link TURN_MS} of it. Its cards are sent before it; a call whose card cannot be sent does not delay the others and is not
 * part of it.
 */
export function planTurns<Call extends WaitingCall>(calls: readonly Call[]): TurnPlan<Call> {
  const groups: Call[][] = [];
  for (const call of calls.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const group = groups.at(-1);
    const first = group?.[0];
    const belongs =
      first !== undefined &&
      group !== undefined &&
      group.length < MAX_CALLS_OF_TURN &&
      call.createdAt.getTime() - first.createdAt.getTime() < TURN_MS;
    if (belongs) group.push(call);
    else groups.push([call]);
  }
  const waiting = groups.filter(
    (group) => group.length >= MIN_CALLS_OF_TURN && group.some(({ card }) => card === 'due'),
  );
  const turns = groups
    .filter((group) => !waiting.includes(group))
    .map((group) => group.filter(({ card }) => card === 'shown'))
    .filter((shown) => shown.length >= MIN_CALLS_OF_TURN);
  return { turns, isWaiting: waiting.length > 0 };
}

/** One call of a turn, as its card showed it. */
export interface ShownCall {
  readonly id: string;
  readonly displayDigest: string;
}

/** The digest over exactly these calls, in this order, as their cards showed them: `sha256:` and lower-case hex. */
export function turnDigest(calls: readonly ShownCall[]): string {
  return `sha256:${sha256Hex(calls.map(({ id, displayDigest }) => `${id} ${displayDigest}`).join('\n'))}`;
}
