import type { FailureReason } from './telegram-failure';

/** One HTTP attempt at the Bot API has ended. In memory only: it feeds metrics. */
export class TelegramAttempted {
  constructor(
    readonly method: string,
    readonly durationMs: number,
    /** Null for success, also for "message is not modified". */
    readonly failure: FailureReason | null,
    /** True if an earlier attempt of the same call had failed. */
    readonly isRetry: boolean,
  ) {}
}

/** Telegram delivered something that is not an update; it was skipped. In memory only: it feeds metrics. */
export class UpdateUnreadable {}
