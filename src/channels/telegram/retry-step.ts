import { isUnavailable } from '../../database/database';
import { pause } from '../../kernel/pause';
import { describeError } from '../../kernel/describe-error';
import type { Log } from '../../logging/log';
import { TelegramFailure } from './bot-api/telegram-failure';
import type { TelegramPart, TelegramStatus } from './telegram-status';

/** Longest wait between the retries for a refused token or an unreachable chat (telegram.md 1). */
const MAX_WAIT_MS = 15_000;
const MIN_WAIT_MS = 500;
/** A single lost connection is not reported; this many failures in a row are. */
const REPORT_AFTER_FAILURES = 3;

/** A part of the connection, and what its retries need. */
export interface RetryContext {
  readonly part: TelegramPart;
  readonly status: TelegramStatus;
  readonly log: Log;
  readonly stop: AbortSignal;
}

/** Retries the step until it resolves or the service stops. Never rejects; the status has the failures. */
export async function retryStep(context: RetryContext, step: () => Promise<void>): Promise<void> {
  const { part, status, stop } = context;
  const isOver = () => stop.aborted;
  while (!isOver()) {
    try {
      await step();
      if (!isOver()) status.report(part, null);
      return;
    } catch (error) {
      if (!isOver()) await pause(reportFailure(context, error), stop);
    }
  }
}

/** Reports a failed step. @returns the wait before the next attempt, in milliseconds. */
export function reportFailure({ part, status, log }: Omit<RetryContext, 'stop'>, error: unknown): number {
  const { reason = null, status: code = null } = error instanceof TelegramFailure ? error : {};
  const refused = reason === 'unauthorized';
  const message = describeError(error);
  log.event('debug', 'telegram.step-failed', { part, error: message }, 'tried again later');
  const failures = status.report(
    part,
    refused ? 'Telegram refuses the bot token' : `${part}: ${message}`,
    // Do not blame Telegram while the database is unavailable: health reports that.
    isUnavailable(error) ? Infinity : isLasting(reason, code) ? 1 : REPORT_AFTER_FAILURES,
  );
  return refused ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(failures - 1, 10));
}

/** True for a refusal by Telegram itself, which does not end by itself. */
const isLasting = (reason: TelegramFailure['reason'] | null, code: number | null): boolean =>
  code !== null && code < 500 && reason !== 'conflict';
