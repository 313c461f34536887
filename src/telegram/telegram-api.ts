import { Injectable } from '@nestjs/common';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';
import { toTelegramFailure, type TelegramFailure } from './telegram-failure';

/** An answer that takes longer is not coming; without a limit a stalled body hangs for 500 s in Telegraf. */
const CALL_TIMEOUT_MS = 10_000;

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The one way to the Bot API: every call is timed, limited in time, logged, and fails without secrets. */
@Injectable()
export class TelegramApi {
  constructor(
    @InjectBot() private readonly bot: Telegraf,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Rejects with TelegramFailure. */
  async call<Result>(
    method: string,
    payload: Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<Result> {
    const startedAt = this.clock.monotonicMs();
    const timeout = AbortSignal.timeout(options.timeoutMs ?? CALL_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    try {
      const result = await this.attempt<Result>(method, payload, signal);
      this.trace(method, startedAt, null);
      return result;
    } catch (error) {
      const failure = toTelegramFailure(method, error);
      this.trace(method, startedAt, failure);
      throw failure;
    }
  }

  private attempt<Result>(
    method: string,
    payload: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<Result> {
    // Telegraf types every method; ours are fixed by the callers, whose results are checked where they matter.
    const untyped = this.bot.telegram.callApi.bind(this.bot.telegram) as unknown as (
      method: string,
      payload: object,
      options: { signal: AbortSignal },
    ) => Promise<Result>;
    return untyped(method, payload, { signal });
  }

  private trace(method: string, startedAt: number, failure: TelegramFailure | null): void {
    const durationMs = Math.round(this.clock.monotonicMs() - startedAt);
    const outcome = failure
      ? { status: failure.status, reason: failure.reason, error: failure.message }
      : { status: 200 };
    this.log.event('debug', 'telegram.call', { method, durationMs, ...outcome }, method);
  }
}
