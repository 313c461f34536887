import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CallbackQuery } from 'telegraf/types';
import { isSettled, type Actor } from '../approvals/approval';
import { RefusalLog } from '../audit/refusal-log';
import { isLockTimeout, isUnavailable } from '../database/database';
import { TapCardCommand, type TapResult } from '../escalation/commands/tap-card';
import { OperatorChat } from '../escalation/operator-chat';
import { words } from '../escalation/rich-text';
import {
  anonymousAnswer,
  decidedAnswer,
  expiredAnswer,
  failedAnswer,
  notDecidableAnswer,
  notOperatorAnswer,
  settledAnswer,
  stillWorkingAnswer,
  tooManyAnswer,
  unknownButtonAnswer,
} from '../escalation/tap-answers';
import { Clock } from '../kernel/clock';
import { currentCorrelationId, joinCorrelation } from '../logging/correlation';
import { describeError, Log } from '../logging/log';
import { Tracing } from '../tracing/tracing';
import { laneOf } from './lane-of';
import { People } from './people';
import { Replies } from './replies';
import { TelegramApi } from './telegram-api';

/** A tap is answered 3 s after it at the latest (telegram.md 11); the way there and back takes the rest. */
export const DECIDE_WITHIN_MS = 2_500;
/** An answer later than this finds no one waiting (the Bot API allows 15 s). */
const ANSWER_TIMEOUT_MS = 3_000;
/** Telegram keeps a tap as long, and so does a person's hope. */
const TAP_LIFETIME_MS = 150_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;

export type DataQuery = CallbackQuery.DataQuery;
type TappedMessage = DataQuery['message'];

interface Told {
  readonly text: string;
  readonly alert: boolean;
}

/** The result of a tap. */
interface Outcome extends Told {
  readonly kind: TapResult['kind'] | 'not-an-operator';
  /** The card itself shows it, sooner or later. */
  readonly onCard: boolean;
  readonly traceparent: string | null;
}

interface Deciding {
  readonly outcome: Promise<Outcome>;
  /** Why it takes so long, if the database said so. */
  trouble: unknown;
}

const STILL_WORKING: Told = { text: stillWorkingAnswer(), alert: false };

/** Decides what a tap asks for, and answers it once and in time, whatever the database does. */
@Injectable()
export class Taps implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  /** By the query's id. One that was late stays for as long as Telegram may deliver it again. */
  private readonly deciding = new Map<string, Deciding>();
  private readonly followUps = new Set<Promise<void>>();

  constructor(
    private readonly commands: CommandBus,
    private readonly api: TelegramApi,
    private readonly chat: OperatorChat,
    private readonly people: People,
    private readonly replies: Replies,
    private readonly refusals: RefusalLog,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly tracing: Tracing,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await Promise.all(this.followUps);
  }

  /**
   * Resolves when the tap was decided and answered.
   *
   * @throws DomainError `database.unavailable` when the database was away all the time: Telegram shall deliver it again,
   *   to whichever process lives then. This one goes on trying all the same.
   */
  async handle(query: DataQuery): Promise<void> {
    const known = this.deciding.get(query.id);
    const deciding = known ?? this.begin(query);
    const inTime = await this.inTime(query, deciding, known !== undefined);
    if (inTime) return;
    const { trouble } = deciding;
    if (isUnavailable(trouble) && !isLockTimeout(trouble)) throw trouble;
    await deciding.outcome.catch(() => undefined);
  }

  private begin(query: DataQuery): Deciding {
    const deciding: Deciding = {
      outcome: Promise.resolve().then(() => this.decide(query, deciding)),
      trouble: null,
    };
    this.deciding.set(query.id, deciding);
    return deciding;
  }

  /** @returns whether the outcome was there in time. Rejects with what deciding failed with, if in time. */
  private async inTime(query: DataQuery, deciding: Deciding, isRepeated: boolean): Promise<boolean> {
    const over = new AbortController();
    try {
      const late = sleep(DECIDE_WITHIN_MS, null, { signal: over.signal });
      const outcome = await Promise.race([deciding.outcome, late]);
      if (outcome === null) {
        if (!isRepeated) await this.late(query, deciding);
        return false;
      }
      if (!isRepeated) await this.tell(query, outcome);
      if (!isRepeated) this.deciding.delete(query.id);
      return true;
    } catch (error) {
      if (isRepeated) return true;
      this.deciding.delete(query.id);
      if (!isUnavailable(error)) await this.answer(query.id, { text: failedAnswer(), alert: true });
      throw error;
    } finally {
      over.abort();
    }
  }

  private tell(query: DataQuery, outcome: Outcome): Promise<void> {
    const answer = () => this.answer(query.id, outcome);
    if (!outcome.onCard) return answer();
    return this.tracing.resume(outcome.traceparent, 'telegram.tap', { result: outcome.kind }, answer);
  }

  /** The answer must not claim a result, and who tapped hears of one that the card does not show. */
  private async late(query: DataQuery, deciding: Deciding): Promise<void> {
    const followUp = this.followUp(query, deciding).finally(() => this.followUps.delete(followUp));
    this.followUps.add(followUp);
    const fields = {
      user: query.from.id,
      error: deciding.trouble === null ? null : describeError(deciding.trouble),
    };
    this.log.event('warn', 'telegram.tap-slow', fields, 'a tap takes longer than its operator can wait');
    await this.answer(query.id, this.meanwhile(query));
  }

  /** Never rejects. */
  private async followUp(query: DataQuery, { outcome }: Deciding): Promise<void> {
    try {
      const { onCard, text } = await outcome;
      if (!onCard && this.people.operatorOf(query.from.id)) this.replyTo(query, text);
    } catch (error) {
      // Telegram delivers it to the process that comes next.
      if (this.stop.signal.aborted) return;
      const fields = { user: query.from.id, error: describeError(error) };
      this.log.event('error', 'telegram.tap-lost', fields, 'a tap could not be decided');
      if (this.people.operatorOf(query.from.id)) this.replyTo(query, failedAnswer());
    } finally {
      setTimeout(() => this.deciding.delete(query.id), TAP_LIFETIME_MS).unref();
    }
  }

  private replyTo({ message }: DataQuery, text: string): void {
    if (!message) return;
    this.replies.begin(async () => {
      const options = { replyTo: String(message.message_id), isReply: true };
      await this.chat.send(laneOf(message), words(text), options);
    });
  }

  /** A refusal does not depend on whether it could be written down. */
  private meanwhile({ from, message }: DataQuery): Told {
    if (!this.people.operatorOf(from.id)) return this.notOperator(from.id);
    return message ? STILL_WORKING : { text: unknownButtonAnswer(), alert: true };
  }

  private notOperator(userId: number): Told {
    const isStandIn = this.people.isStandIn(userId);
    return { text: isStandIn ? anonymousAnswer() : notOperatorAnswer(String(userId)), alert: true };
  }

  private async decide(query: DataQuery, deciding: Deciding): Promise<Outcome> {
    const { from, message, data } = query;
    const by = this.people.operatorOf(from.id);
    if (!by) {
      await this.untilAvailable(deciding, this.turnAway(from.id, message));
      return { kind: 'not-an-operator', ...this.notOperator(from.id), onCard: false, traceparent: null };
    }
    // Under what another bot's inline mode wrote: never ours.
    const result: TapResult = message
      ? await this.untilAvailable(deciding, () => this.tap(by, data, message))
      : { kind: 'unknown-button' };
    if (result.kind === 'unknown-button') await this.untilAvailable(deciding, this.refuse(from.id, message));
    // A limit is written down where it is counted, once a minute.
    else if (!('approval' in result))
      this.log.event('warn', 'telegram.tap', { user: from.id, result: result.kind }, 'a tap decided nothing');
    if (!('approval' in result)) return { ...outcomeOf(result), onCard: false, traceparent: null };
    const { id: approvalId, status, correlationId, traceparent } = result.approval;
    joinCorrelation(correlationId);
    const fields = { user: from.id, result: result.kind, approvalId, status };
    this.log.event('info', 'telegram.tap', fields, 'an operator tapped');
    return { ...outcomeOf(result), onCard: true, traceparent };
  }

  private tap(
    by: Actor,
    data: string,
    { chat, message_id: id }: NonNullable<TappedMessage>,
  ): Promise<TapResult> {
    return this.commands.execute(new TapCardCommand(data, String(chat.id), String(id), by));
  }

  /** Deciding twice is deciding once, so what the database did not answer is asked again. */
  private async untilAvailable<T>(deciding: Deciding, work: () => Promise<T>): Promise<T> {
    const endsAt = this.clock.monotonicMs() + TAP_LIFETIME_MS;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      try {
        return await work();
      } catch (error) {
        deciding.trouble = error;
        const { aborted } = this.stop.signal;
        if (!isUnavailable(error) || aborted || this.clock.monotonicMs() + waitMs > endsAt) throw error;
        await sleep(waitMs, undefined, { signal: this.stop.signal }).catch(() => undefined);
      }
    }
  }

  /** Anybody in the chat can tap for ever: one row a person and minute. */
  private turnAway(userId: number, message: TappedMessage): () => Promise<void> {
    const type = 'access.unauthenticated';
    const refusal = this.refusalOf('not-an-operator', userId, message);
    return async () => {
      await this.refusals.recordFlood({ type, ...refusal });
    };
  }

  private refuse(userId: number, message: TappedMessage): () => Promise<void> {
    const refusal = this.refusalOf('unknown-button', userId, message);
    return () => this.refusals.record({ type: 'telegram.tap-refused', ...refusal });
  }

  /** A refused attempt is evidence: it is written down, and logged. */
  private refusalOf(result: string, userId: number, message: TappedMessage) {
    this.log.event('warn', 'telegram.tap', { user: userId, result }, 'a tap was refused');
    return {
      actor: `telegram:${userId}`,
      approvalId: null,
      correlationId: currentCorrelationId(),
      data: { result, chatId: String(message?.chat.id ?? ''), messageId: message?.message_id ?? null },
    };
  }

  /** The decision stands, whether or not its tapper can be told. */
  async answer(queryId: string, { text, alert }: Told): Promise<void> {
    const payload = { callback_query_id: queryId, text, show_alert: alert };
    // A later answer would find no one waiting, and an edit tells the outcome anyway.
    const options = { timeoutMs: ANSWER_TIMEOUT_MS, retry: false };
    await this.api.call('answerCallbackQuery', payload, options).catch((error: unknown) => {
      const fields = { error: describeError(error) };
      this.log.event('warn', 'telegram.reply-failed', fields, 'an operator could not be answered');
    });
  }
}

function outcomeOf(result: TapResult): Told & Pick<Outcome, 'kind'> {
  return { kind: result.kind, text: answerTo(result), alert: result.kind !== 'decided' };
}

function answerTo(result: TapResult): string {
  switch (result.kind) {
    case 'decided':
      return decidedAnswer(result.approval.status);
    case 'too-late':
      return isSettled(result.approval)
        ? settledAnswer(result.approval)
        : expiredAnswer(result.approval.expiresAt);
    case 'too-many':
      return tooManyAnswer(result.retryAfterSeconds);
    case 'not-decidable':
      return notDecidableAnswer();
    case 'unknown-button':
      return unknownButtonAnswer();
  }
}
