import { randomInt } from 'node:crypto';
import type { Clock } from '../kernel/clock';
import { LongPoll } from './long-poll';
import { RateLimit } from './rate-limit';
import type { Settings } from './settings';
import type { BotCommand, User } from './telegram-types';
import { UpdateQueue } from './update-queue';

/** The running delivery to a webhook. */
export interface WebhookHandle {
  readonly url: string;
  isSame(url: string, secret: string, connections: number): boolean;
  /** Fields for the answer of getWebhookInfo. */
  info(): Record<string, unknown>;
  stop(): void;
}

/** One bot token and the state that the server keeps for it. */
export class Bot {
  readonly id: number;
  readonly user: User;
  readonly queue: UpdateQueue;
  readonly poll: LongPoll;
  limit: RateLimit;
  /** By {@link scopeKey}. */
  readonly menus = new Map<string, readonly BotCommand[]>();
  webhook: WebhookHandle | null = null;

  constructor(
    readonly token: string,
    clock: Clock,
    private readonly settings: Settings,
  ) {
    this.id = Number(token.split(':')[0]);
    this.user = {
      id: this.id,
      is_bot: true,
      first_name: 'Countersign',
      username: `countersign_${this.id}_bot`,
    };
    // Telegram may start at any number; only the order matters.
    this.queue = new UpdateQueue(clock, randomInt(100_000_000, 900_000_000));
    this.poll = new LongPoll(this.queue);
    this.limit = new RateLimit(() => this.settings);
  }

  /** The commands of all scopes, each name once. */
  get commands(): readonly BotCommand[] {
    const all = [...this.menus.values()].flat();
    return all.filter(({ command }, i) => all.findIndex((each) => each.command === command) === i);
  }

  reset(): void {
    this.queue.clear();
    this.menus.clear();
    this.limit = new RateLimit(() => this.settings);
  }
}
