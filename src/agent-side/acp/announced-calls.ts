import { mergeCalls } from './acp-action';
import type { SentToolCall } from './permission-request';

/** More calls of one connection are not kept: an agent announces a few at a time. */
const MAX_CALLS = 1_000;

/** States after which a call is not asked for again. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled']);

/** The calls that an agent has announced by session updates, which its questions only add to. */
export class AnnouncedCalls {
  private readonly calls = new Map<string, SentToolCall>();
  private readonly waiting = new Map<string, Set<() => void>>();

  /** @param isNew true for an announcement that owes nothing to earlier ones with the same id */
  add(sessionId: string, call: SentToolCall, isNew: boolean): void {
    const key = keyOf(sessionId, call.toolCallId);
    if (ENDED.has(call.status)) {
      this.calls.delete(key);
      return;
    }
    this.calls.set(key, mergeCalls(isNew ? undefined : this.calls.get(key), call));
    if (this.calls.size > MAX_CALLS) {
      const [oldest] = this.calls.keys();
      if (oldest !== undefined) this.calls.delete(oldest);
    }
    for (const wake of this.waiting.get(key) ?? []) wake();
  }

  find(sessionId: string, toolCallId: string): SentToolCall | undefined {
    return this.calls.get(keyOf(sessionId, toolCallId));
  }

  /** Forgets a session's calls. Agents use their ids again in the next turn. */
  forget(sessionId: string): void {
    const prefix = keyOf(sessionId, '').slice(0, -2);
    for (const key of this.calls.keys()) if (key.startsWith(prefix)) this.calls.delete(key);
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
}

function keyOf(sessionId: string, toolCallId: string): string {
  return JSON.stringify([sessionId, toolCallId]);
}
