import { updateCall } from './acp-action';
import type { SentToolCall } from './permission-request';

/** More calls of one connection are not kept: an agent announces a few at a time. */
const MAX_CALLS = 1_000;

/** States after which a call is not asked for again. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled']);

/** True for the status of a call that is over, so that nothing can be decided about it. */
export const hasEnded = (status: unknown): boolean => ENDED.has(status);

/** The calls that an agent has announced by session updates, which its questions only add to. */
export class AnnouncedCalls {
  private readonly calls = new Map<string, SentToolCall>();
  /** Calls with an announcement that cannot be read. */
  private readonly spoiled = new Set<string>();
  private readonly waiting = new Map<string, Set<() => void>>();

  /** @param isNew true for an announcement that owes nothing to earlier ones with the same id */
  add(sessionId: string, call: SentToolCall, isNew: boolean): void {
    const key = keyOf(sessionId, call.toolCallId);
    if (ENDED.has(call.status)) {
      this.end(key);
      return;
    }
    this.calls.set(key, updateCall(isNew ? undefined : this.calls.get(key), call));
    if (this.calls.size > MAX_CALLS) {
      const [oldest] = this.calls.keys();
      if (oldest !== undefined) this.calls.delete(oldest);
    }
    this.wake(key);
  }

  /** Notes that a part of what the agent announced is not known. That holds until the call or the turn has ended. */
  spoil(sessionId: string, toolCallId: string, status: unknown): void {
    const key = keyOf(sessionId, toolCallId);
    if (ENDED.has(status)) {
      this.end(key);
      return;
    }
    this.spoiled.add(key);
    this.wake(key);
  }

  isSpoiled(sessionId: string, toolCallId: string): boolean {
    return this.spoiled.has(keyOf(sessionId, toolCallId));
  }

  find(sessionId: string, toolCallId: string): SentToolCall | undefined {
    return this.calls.get(keyOf(sessionId, toolCallId));
  }

  /** Forgets a session's calls. Agents use their ids again in the next turn. */
  forget(sessionId: string): void {
    const prefix = keyOf(sessionId, '').slice(0, -2);
    for (const key of [...this.calls.keys(), ...this.spoiled]) if (key.startsWith(prefix)) this.end(key);
  }

  /** Resolves at the next announcement of the call, or when the signal is aborted. */
  async next(sessionId: string, toolCallId: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const key = keyOf(sessionId, toolCallId);
    const waiting = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, waiting);
    let wake: () => void = () => undefined;
    await new Promise<void>((done) => {
      wake = done;
      waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
    signal.removeEventListener('abort', wake);
    waiting.delete(wake);
    if (waiting.size === 0) this.waiting.delete(key);
  }

  private end(key: string): void {
    this.calls.delete(key);
    this.spoiled.delete(key);
  }

  private wake(key: string): void {
    for (const wake of this.waiting.get(key) ?? []) wake();
  }
}

function keyOf(sessionId: string, toolCallId: string): string {
  return JSON.stringify([sessionId, toolCallId]);
}
