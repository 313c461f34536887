import type { WebhookHandle } from './bot';
import type { Call } from './methods/call';
import { isRecord, Params } from './params';
import { pause } from './pause';
import type { Update } from './update-queue';

/** Source: core.telegram.org/bots/api#setwebhook. */
export const DEFAULT_CONNECTIONS = 40;
export const MOST_CONNECTIONS = 100;

/** A delivery that takes longer counts as failed. */
const DELIVERY_TIMEOUT_MS = 60_000;

export interface WebhookTarget {
  readonly url: string;
  readonly secret: string;
  readonly connections: number;
}

interface DeliveryError {
  readonly atSeconds: number;
  readonly message: string;
}

/**
 * Delivers a bot's updates by POST: in order within a chat, in parallel over chats. It retries a failed delivery
 * after 2, 4, 8 … seconds; meanwhile only the updates of that chat wait.
 */
export class Webhook implements WebhookHandle {
  readonly url: string;
  private readonly busy = new Set<string>();
  private readonly stopping = new AbortController();
  private stopListening: () => void = () => undefined;
  private lastError: DeliveryError | null = null;

  constructor(
    private readonly call: Pick<Call, 'world' | 'bot' | 'callbacks' | 'execute'>,
    private readonly target: WebhookTarget,
  ) {
    this.url = target.url;
  }

  isSame(url: string, secret: string, connections: number): boolean {
    return url === this.url && secret === this.target.secret && connections === this.target.connections;
  }

  info(): Record<string, unknown> {
    return {
      max_connections: this.target.connections,
      ...(this.lastError
        ? { last_error_date: this.lastError.atSeconds, last_error_message: this.lastError.message }
        : {}),
    };
  }

  start(): void {
    this.stopListening = this.call.bot.queue.onAdded(() => this.pump());
    this.pump();
  }

  stop(): void {
    this.stopListening();
    this.stopping.abort();
  }

  private pump(): void {
    if (this.stopping.signal.aborted) return;
    for (const { lane, update } of this.call.bot.queue.heads(this.busy)) {
      if (this.busy.size >= this.target.connections) return;
      this.busy.add(lane);
      void this.deliver(update, lane);
    }
  }

  private async deliver(update: Update, lane: string): Promise<void> {
    const { settings } = this.call.world;
    for (let wait = settings.webhookRetryMs; !this.stopping.signal.aborted; wait *= 2) {
      const failure = await this.attempt(update);
      if (failure === null) {
        this.call.bot.queue.remove(update);
        break;
      }
      this.lastError = { atSeconds: this.call.world.nowSeconds(), message: failure };
      await pause(Math.min(wait, settings.webhookRetryMaxMs), this.stopping.signal);
    }
    this.busy.delete(lane);
    this.pump();
  }

  /** Null if delivered, else the error message for getWebhookInfo. */
  private async attempt(update: Update): Promise<string | null> {
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.target.secret ? { 'x-telegram-bot-api-secret-token': this.target.secret } : {}),
        },
        body: JSON.stringify(update),
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(DELIVERY_TIMEOUT_MS)]),
      });
      const text = await response.text();
      if (!response.ok) return `Wrong response from the webhook: ${response.status} ${response.statusText}`;
      await this.runReply(text);
      return null;
    } catch (error) {
      return error instanceof Error && error.name === 'TimeoutError'
        ? 'Read timeout expired'
        : 'Connection refused';
    }
  }

  /** Executes the method call in the answer's body, if any; its result is discarded. */
  private async runReply(text: string): Promise<void> {
    const reply = parseReply(text);
    if (typeof reply?.method !== 'string') return;
    const gone = this.stopping.signal;
    await this.call.execute(reply.method, { ...this.call, params: new Params(reply), gone });
  }
}

function parseReply(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const reply: unknown = JSON.parse(text);
    return isRecord(reply) ? reply : null;
  } catch {
    // A body that is not JSON (empty, "ok") contains no call.
    return null;
  }
}
