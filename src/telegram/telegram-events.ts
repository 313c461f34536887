import type { FailureReason } from './telegram-failure';

/** One HTTP attempt at the Bot API is over. In memory only: it feeds metrics. */
export class TelegramAttempted {
  constructor(
    readonly method: string,
    readonly durationMs: number,
    /** Null for success, and for "message is not modified", which is one. */
    readonly failure: FailureReason | null,
    /** Whether an earlier attempt of the same call had failed. */
    readonly isRetry: boolean,
  ) {}
}

/** Telegram delivered something that is not an update; it was skipped. In memory only: it feeds metrics. */
export class UpdateUnreadable {}
