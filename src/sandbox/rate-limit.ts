import { tooManyRequests } from './bot-api-error';

/**
 * Source: core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this. The burst is an observed value:
 * Telegram tolerates that many.
 */
export interface Limits {
  /** Messages and edits of one bot in any one second, over all chats. */
  readonly perSecond: number;
  /** Messages and edits a second in one chat, in the long run. */
  readonly chatPerSecond: number;
  /** Messages and edits that one chat accepts at once. */
  readonly chatBurst: number;
  /** Messages and edits in one group in any 60 seconds. */
  readonly groupPerMinute: number;
}

export const TELEGRAM_LIMITS: Limits = { perSecond: 30, chatPerSecond: 1, chatBurst: 3, groupPerMinute: 20 };

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** Rate limits of one bot; only admitted messages count. */
export class RateLimit {
  private readonly overall: number[] = [];
  /** For each chat, the time when it would be idle again if every admitted message took its full share of time. */
  private readonly idleAtMs = new Map<number, number>();
  private readonly groups = new Map<number, number[]>();

  constructor(private readonly limits: () => Limits) {}

  /**
   * Counts one message to the chat.
   *
   * @throws {BotApiError} 429 with `retry_after` in whole seconds, at least one
   */
  admit(chatId: number, nowMs: number): void {
    const limits = this.limits();
    const shareMs = SECOND_MS / limits.chatPerSecond;
    const idleAtMs = Math.max(this.idleAtMs.get(chatId) ?? 0, nowMs);
    const group = chatId < 0 ? this.group(chatId) : null;
    const waitMs = Math.max(
      windowWaitMs(this.overall, SECOND_MS, limits.perSecond, nowMs),
      group ? windowWaitMs(group, MINUTE_MS, limits.groupPerMinute, nowMs) : 0,
      idleAtMs - (limits.chatBurst - 1) * shareMs - nowMs,
    );
    if (waitMs > 0) throw tooManyRequests(Math.max(1, Math.ceil(waitMs / SECOND_MS)));
    this.idleAtMs.set(chatId, idleAtMs + shareMs);
    this.overall.push(nowMs);
    group?.push(nowMs);
  }

  private group(chatId: number): number[] {
    const sent = this.groups.get(chatId) ?? [];
    this.groups.set(chatId, sent);
    return sent;
  }
}

/** Milliseconds until the window has room; removes the entries that have left it. */
function windowWaitMs(sent: number[], windowMs: number, most: number, nowMs: number): number {
  while (sent[0] !== undefined && sent[0] <= nowMs - windowMs) sent.shift();
  const blocking = sent[sent.length - most];
  return blocking === undefined ? 0 : blocking + windowMs - nowMs;
}
