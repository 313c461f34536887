import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import { CONFIG, telegramOf, type Config } from '../../../config/environment';
import { SendBudget } from '../send-budget';
import { Clock } from '../../../kernel/clock';
import { DomainError } from '../../../kernel/errors';
import { describeError } from '../../../kernel/describe-error';
import { Log } from '../../../logging/log';
import { CircuitBreakerService, CircuitOpenError } from '../../../resilience/circuit-breaker';
import { CallTimeoutError } from '../../../resilience/call-timeout';
import { createGuard, type Guard, type GuardedCall } from '../../../resilience/compose';
import { Tracing } from '../../../tracing/tracing';
import { parseResult, type BotApiMethod, type BotApiResult } from './bot-api-answers';
import { requestBotApi } from './bot-api-request';
import { retryability } from './retryability';
import { TelegramAttempted } from './telegram-events';
import {
  circuitOpenFailure,
  noRoomFailure,
  stoppedFailure,
  TelegramFailure,
  timeoutFailure,
  toTelegramFailure,
} from './telegram-failure';

/** Timeout of a call; without one, a stalled body hangs for 500 s in Telegraf. */
const CALL_TIMEOUT_MS = 10_000;
/** Longest wait for room in the send budget: for the first attempt, and for a retry within the call. */
const FIRST_ROOM_MS = 60_000;
const RETRY_ROOM_MS = 5_000;
/** The guard's own timeout is longer than the request's and catches what that misses. */
const TIMEOUT_MARGIN_MS = 500;
/** Time for running calls to end at shutdown; waits between retries are aborted. */
const STOP_GRACE_MS = 3_000;

/** Chat whose send budget each attempt uses; `slot` is room that the caller has already. */
export interface Budgeted {
  readonly chatId: string;
  readonly slot: string | null;
  /** Longest wait of the first attempt for room, in milliseconds. */
  readonly roomMs?: number | undefined;
}

/** Runs one attempt with its place in the send budget. */
type WithRoom = <Result>(
  isRetry: boolean,
  during: AbortSignal,
  attempt: () => Promise<Result>,
) => Promise<Result>;

const withoutRoom: WithRoom = (_isRetry, _during, attempt) => attempt();

export type CallOptions = Pick<GuardedCall, 'signal' | 'timeoutMs' | 'retry' | 'breaker'> & {
  readonly budget?: Budgeted;
};

/** For callers with their own retries, which must detect that Telegram is back even while the breaker is open. */
export const UNGUARDED = { retry: false, breaker: false } as const;

/** The only client of the Bot API: guards, counts, times out and logs every call; its errors contain no secrets. */
@Injectable()
export class TelegramApi implements OnModuleDestroy {
  private readonly guard: Guard;
  private readonly stop = new AbortController();

  constructor(
    @InjectBot() private readonly bot: Telegraf,
    breaker: CircuitBreakerService,
    private readonly budget: SendBudget,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly tracing: Tracing,
    @Inject(CONFIG) config: Config,
  ) {
    const { retry } = telegramOf(config);
    this.guard = createGuard({
      retry,
      classify: retryability(retry.on),
      breaker,
      timeoutMs: CALL_TIMEOUT_MS,
    });
  }

  /** Runs before the other hooks of a shutdown, since they wait for calls to end. */
  onModuleDestroy(): void {
    setTimeout(() => this.stop.abort(), STOP_GRACE_MS).unref();
  }

  /** Rejects with TelegramFailure, or with DomainError `database.unavailable` if the budget cannot be read. */
  async call<Method extends BotApiMethod>(
    method: Method,
    payload: Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<BotApiResult<Method>> {
    const { budget, timeoutMs = CALL_TIMEOUT_MS, ...guarded } = options;
    const signal = guarded.signal ? AbortSignal.any([guarded.signal, this.stop.signal]) : this.stop.signal;
    const progress = { attempts: 0, underWay: false, failure: null as TelegramFailure | null };
    let slot: string | null = null;
    try {
      if (budget?.slot === null)
        slot = await this.room(method, budget.chatId, budget.roomMs ?? FIRST_ROOM_MS, signal);
      const first = budget?.slot ?? slot;
      const withRoom = budget && first !== null ? this.withRoom(method, budget.chatId, first) : withoutRoom;
      const attempt = (during: AbortSignal): Promise<BotApiResult<Method>> => {
        const isRetry = ++progress.attempts > 1;
        return withRoom(isRetry, during, async () => {
          progress.underWay = true;
          try {
            const inTime = AbortSignal.any([during, AbortSignal.timeout(timeoutMs)]);
            return await this.attempt(method, payload, inTime, isRetry);
          } catch (error) {
            progress.failure = toTelegramFailure(method, error);
            throw progress.failure;
          } finally {
            progress.underWay = false;
          }
        });
      };
      return await this.guard.execute(attempt, {
        ...guarded,
        signal,
        timeoutMs: timeoutMs + (budget ? RETRY_ROOM_MS : 0) + TIMEOUT_MARGIN_MS,
        onRetry: ({ attempt: number, waitMs }) =>
          this.log.event('debug', 'telegram.retry', { method, attempt: number, waitMs }, method),
      });
    } catch (error) {
      // A database error in the search for room says nothing about Telegram.
      if (error instanceof DomainError) throw error;
      if (error instanceof CircuitOpenError) throw circuitOpenFailure(method);
      // Aborted while it waited and no request was under way: the outcome is known.
      if (signal.aborted && !progress.underWay) throw progress.failure ?? stoppedFailure(method);
      throw error instanceof CallTimeoutError ? timeoutFailure(method) : toTelegramFailure(method, error);
    } finally {
      // No attempt was made, for example because the breaker is open: give the slot back.
      if (slot !== null && progress.attempts === 0) await this.record(this.budget.cancel(slot));
    }
  }

  /** Every attempt counts at Telegram, so each retry takes its own room; the first attempt has a slot. */
  private withRoom(method: string, chatId: string, first: string): WithRoom {
    return async (isRetry, during, attempt) => {
      const room = isRetry ? await this.room(method, chatId, RETRY_ROOM_MS, during) : first;
      try {
        return await attempt();
      } catch (error) {
        const waitMs = error instanceof TelegramFailure ? error.retryAfterMs : null;
        if (waitMs !== null) await this.record(this.budget.hold(chatId, waitMs));
        throw error;
      } finally {
        await this.record(this.budget.release(room));
      }
    };
  }

  /** Best effort: a failure to update the budget is logged and ignored, since an open slot expires by itself. */
  private async record(entry: Promise<void>): Promise<void> {
    await entry.catch((error: unknown) =>
      this.log.event(
        'debug',
        'telegram.not-booked',
        { error: describeError(error) },
        'the send budget is off',
      ),
    );
  }

  private async room(method: string, chatId: string, withinMs: number, signal: AbortSignal): Promise<string> {
    const enough = AbortSignal.timeout(withinMs);
    try {
      return await this.budget.acquire(chatId, AbortSignal.any([signal, enough]));
    } catch (error) {
      throw enough.aborted ? noRoomFailure(method) : error;
    }
  }

  private async attempt<Method extends BotApiMethod>(
    method: Method,
    payload: Record<string, unknown>,
    signal: AbortSignal,
    isRetry: boolean,
  ): Promise<BotApiResult<Method>> {
    const startedAt = this.clock.monotonicMs();
    try {
      const result = await this.tracing.call(`telegram.${method}`, { retry: isRetry }, async () =>
        parseResult(method, await requestBotApi(this.bot.telegram, method, payload, signal)),
      );
      this.report(method, startedAt, isRetry, null);
      return result;
    } catch (error) {
      const failure = toTelegramFailure(method, error);
      this.report(method, startedAt, isRetry, failure);
      throw failure;
    }
  }

  private report(method: string, startedAt: number, isRetry: boolean, failure: TelegramFailure | null): void {
    const durationMs = this.clock.monotonicMs() - startedAt;
    const outcome = failure
      ? { status: failure.status, reason: failure.reason, error: failure.message }
      : { status: 200 };
    this.log.event(
      'debug',
      'telegram.call',
      { method, durationMs: Math.round(durationMs), ...outcome },
      method,
    );
    if (failure?.reason === 'bad-answer')
      this.log.event(
        'warn',
        'telegram.bad-answer',
        { method, error: failure.message },
        'the Bot API gave an answer that it never gives',
      );
    const reason =
      !failure || failure.isNotModified || failure.reason === 'circuit-open' ? null : failure.reason;
    this.events.publish(new TelegramAttempted(method, durationMs, reason, isRetry));
  }
}
