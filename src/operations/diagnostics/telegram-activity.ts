import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { Clock } from '../../kernel/clock';
import { TelegramAttempted } from '../../channels/telegram/bot-api/telegram-events';

/** A failed attempt by its kind. Telegram's own text could repeat message contents, and stays in the log. */
export interface AttemptFailure {
  readonly method: string;
  readonly reason: string;
  readonly at: Date;
}

/** Records the last results of this replica's calls to the Bot API. */
@Injectable()
export class TelegramActivity implements OnModuleInit {
  private polledAt: Date | null = null;
  private failure: AttemptFailure | null = null;

  constructor(
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.events.subscribe((event) => {
      if (event instanceof TelegramAttempted) this.note(event);
    });
  }

  /** Null: this replica has not polled, because another one does or webhooks are used. */
  get lastCompletedPollAt(): Date | null {
    return this.polledAt;
  }

  get lastFailure(): AttemptFailure | null {
    return this.failure;
  }

  private note({ method, failure: reason }: TelegramAttempted): void {
    if (reason !== null) this.failure = { method, reason, at: this.clock.now() };
    else if (method === 'getUpdates') this.polledAt = this.clock.now();
  }
}
