import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { CallbackQuery } from 'telegraf/types';
import { isSettled, type Approval } from '../../../approvals/approval';
import { MayGrantLateQuery } from '../../../approvals/queries/find-grant-offers';
import type { Person } from '../../../kernel/actor';
import { RefusalLog } from '../../../audit/refusal-log';
import { isLockTimeout, isUnavailable } from '../../../database/database';
import { ConfirmStopCommand, type StopResult } from '../commands/confirm-stop';
import { TapCardCommand, type TapResult } from '../commands/tap-card';
import { RememberOffersCommand } from '../commands/remember-offers';
import { RememberTapCommand } from '../commands/remember-tap';
import { HasCountedQuery } from '../queries/has-counted';
import { TapGrantCommand, type GrantResult } from '../commands/tap-grant';
import { TapWordsCommand, type WordsResult } from '../commands/tap-words';
import { TapAnswerCommand, labelsOf, type AnswerResult } from '../commands/tap-answer';
import { reasonButtons, sheetButtons } from '../card-buttons';
import { renderAnswerSheet } from '../../../cards/question-text';
import { renderReasonOffers, renderWordsSent } from '../../../cards/words-text';
import { TapTurnCommand, type TurnResult } from '../commands/tap-turn';
import { OperatorChat, type Button } from '../operator-chat';
import {
  renderGranted,
  renderGrantOffers,
  renderLateOffer,
  renderOffersEnded,
  renderRevoked,
} from '../../../cards/grant-text';
import { renderStopConfirmed } from '../../../cards/operator-text';
import { words, type RichText } from '../../../cards/rich-text';
import { parseAnswerTap, type AnswerTap } from './answer-data';
import {
  anonymousAnswer,
  answersOfferedAnswer,
  claimedAnswer,
  claimedByAnotherAnswer,
  countedAnswer,
  countedBeforeAnswer,
  decidedAnswer,
  expiredAnswer,
  extendedAnswer,
  failedAnswer,
  grantedAnswer,
  grantedOnceAnswer,
  grantsNoneAnswer,
  grantsOfferedAnswer,
  notDecidableAnswer,
  needsPasskeyAnswer,
  noMoreTimeAnswer,
  notEligibleAnswer,
  notOperatorAnswer,
  reasonRequiredAnswer,
  reasonsOfferedAnswer,
  revokedAnswer,
  settledAnswer,
  snoozedAnswer,
  stillWorkingAnswer,
  stopOfAnotherAnswer,
  stoppedAnswer,
  stopTooLateAnswer,
  takenBackAnswer,
  tooManyAnswer,
  turnDecidedAnswer,
  turnOutdatedAnswer,
  turnOverAnswer,
  unknownButtonAnswer,
  wordsOfAnotherAnswer,
} from './tap-answers';
import { Clock } from '../../../kernel/clock';
import { currentCorrelationId, joinCorrelation } from '../../../logging/correlation';
import { pause } from '../../../kernel/pause';
import { describeError } from '../../../kernel/describe-error';
import { Log } from '../../../logging/log';
import { Tracing } from '../../../tracing/tracing';
import {
  grantCallbackData,
  GRANT_ENDS,
  parseCallbackData,
  parseGrantTap,
  parseStopTap,
  parseTurnTap,
  parseWordsTap,
  type GrantTap,
  type WordsTap,
} from './callback-data';
import { laneOf } from './lane-of';
import { buttonDataOf } from './message-buttons';
import { People } from './people';
import { Replies } from './replies';
import { TelegramApi } from '../bot-api/telegram-api';

/** The service must answer a tap within 3 s (telegram.md 11); the network takes the rest. */
export const DECIDE_WITHIN_MS = 2_500;
/** After this time the operator no longer waits for the answer (the Bot API allows 15 s). */
const ANSWER_TIMEOUT_MS = 3_000;
/** Telegram keeps a tap for this time. */
const TAP_LIFETIME_MS = 150_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;

export type DataQuery = CallbackQuery.DataQuery;
type TappedMessage = DataQuery['message'];

interface Told {
  readonly text: string;
  readonly alert: boolean;
}

interface Place {
  readonly chatId: string;
  readonly messageId: string;
}

/** Telegram delivered the tap again. */
type Repeated = { readonly kind: 'counted-before' };

type Result = Repeated | TapResult | StopResult | GrantResult | WordsResult | AnswerResult | TurnResult;

/** The result of a tap. */
interface Outcome extends Told {
  readonly kind: Result['kind'] | 'not-an-operator';
  /** True if the card itself will show the result. */
  readonly onCard: boolean;
  readonly traceparent: string | null;
}

type DecidedTurnResult = Extract<TurnResult, { kind: 'turn-decided' }>;

interface Deciding {
  readonly outcome: Promise<Outcome>;
  /** The database error that delays the decision, if there is one. */
  trouble: unknown;
}

const STILL_WORKING: Told = { text: stillWorkingAnswer(), alert: false };

/** Executes the decision of a tap, and answers the tap once and in time, even if the database is slow. */
@Injectable()
export class Taps implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  /** Taps by query id. A late one stays for as long as Telegram may deliver it again. */
  private readonly deciding = new Map<string, Deciding>();
  private readonly followUps = new Set<Promise<void>>();

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
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
   * @throws DomainError `database.unavailable` if the database was unavailable all the time: Telegram must deliver the
   *   tap again, to any process. This process continues its own retries.
   */
  async handle(query: DataQuery, botId: number): Promise<void> {
    const known = this.deciding.get(query.id);
    const deciding = known ?? this.begin(query, botId);
    const inTime = await this.inTime(query, deciding, known !== undefined);
    if (inTime) return;
    const { trouble } = deciding;
    if (isUnavailable(trouble) && !isLockTimeout(trouble)) throw trouble;
    await deciding.outcome.catch(() => undefined);
  }

  private begin(query: DataQuery, botId: number): Deciding {
    const deciding: Deciding = {
      outcome: Promise.resolve().then(() => this.decide(query, botId, deciding)),
      trouble: null,
    };
    this.deciding.set(query.id, deciding);
    return deciding;
  }

  /** @returns true if the outcome was there in time. Rejects with the error of the decision, if it failed in time. */
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

  /** Answers without a result; a message later tells the tapper a result that the card does not show. */
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
      if (!onCard && this.people.operatorOf(query.from.id)) await this.replyTo(query, text);
    } catch (error) {
      // This process stops; Telegram delivers the tap to the next one.
      if (this.stop.signal.aborted) return;
      const fields = { user: query.from.id, error: describeError(error) };
      this.log.event('error', 'telegram.tap-lost', fields, 'a tap could not be decided');
      if (this.people.operatorOf(query.from.id)) await this.replyTo(query, failedAnswer());
    } finally {
      setTimeout(() => this.deciding.delete(query.id), TAP_LIFETIME_MS).unref();
    }
  }

  private async replyTo({ from, message }: DataQuery, text: string): Promise<void> {
    if (!message) return;
    await this.replies.answerOperator(from.id, async () => {
      const options = { replyTo: String(message.message_id), isReply: true };
      await this.chat.send(laneOf(message), words(text), options);
    });
  }

  /** The answer while the decision is pending. A refusal needs no database, so it is given at once. */
  private meanwhile({ from, message }: DataQuery): Told {
    if (!this.people.operatorOf(from.id)) return this.notOperator(from.id);
    return message ? STILL_WORKING : { text: unknownButtonAnswer(), alert: true };
  }

  private notOperator(userId: number): Told {
    const isStandIn = this.people.isStandIn(userId);
    return { text: isStandIn ? anonymousAnswer() : notOperatorAnswer(String(userId)), alert: true };
  }

  private async decide(query: DataQuery, botId: number, deciding: Deciding): Promise<Outcome> {
    const { from, message, data } = query;
    const by = this.people.operatorOf(from.id);
    if (!by) {
      await this.untilAvailable(deciding, this.turnAway(from.id, message));
      return { kind: 'not-an-operator', ...this.notOperator(from.id), onCard: false, traceparent: null };
    }
    // Without a message the button is under an inline message of another bot.
    const result: Result = message
      ? await this.untilAvailable(deciding, () =>
          this.once(query.id, () => this.tap(by, data, message, botId)),
        )
      : { kind: 'unknown-button' };
    if (result.kind === 'unknown-button' || result.kind === 'turn-outdated')
      await this.untilAvailable(deciding, this.refuse(result.kind, from.id, message));
    else if (result.kind === 'turn-decided') this.logTurn(from.id, result);
    else if (result.kind === 'revoked' || result.kind === 'granted-once')
      this.log.event('info', 'telegram.tap', { user: from.id, result: result.kind }, 'an operator tapped');
    else if (result.kind === 'stopped' || result.kind === 'stopped-before')
      this.log.event('warn', 'telegram.tap', { user: from.id, result: result.kind }, 'an operator stopped');
    // The rate limiter itself records an exceeded limit, once a minute.
    else if (!('approval' in result))
      this.log.event('warn', 'telegram.tap', { user: from.id, result: result.kind }, 'a tap decided nothing');
    if (!('approval' in result)) return { ...outcomeOf(result), onCard: false, traceparent: null };
    const { id: approvalId, status, correlationId, traceparent } = result.approval;
    joinCorrelation(correlationId);
    const fields = { user: from.id, result: result.kind, approvalId, status };
    this.log.event('info', 'telegram.tap', fields, 'an operator tapped');
    return { ...outcomeOf(result), onCard: true, traceparent };
  }

  /** A tap that Telegram delivers again counts no second time, whatever its person has done since. */
  private async once(queryId: string, tap: () => Promise<Result>): Promise<Result> {
    if (await this.queries.execute(new HasCountedQuery(queryId))) return { kind: 'counted-before' };
    const result = await tap();
    if (result.kind === 'counted' || result.kind === 'taken-back')
      await this.commands.execute(new RememberTapCommand(queryId));
    return result;
  }

  private logTurn(user: number, { kind, verdict, approvalIds, others }: DecidedTurnResult): void {
    const fields = { user, result: kind, verdict, approvalIds, others };
    this.log.event('info', 'telegram.tap', fields, 'an operator decided the calls of a turn by one tap');
  }

  private async tap(
    by: Person,
    data: string,
    message: NonNullable<TappedMessage>,
    botId: number,
  ): Promise<Result> {
    const { chat, message_id: id } = message;
    const buttons = buttonDataOf(message, botId);
    const nonce = parseStopTap(data);
    if (nonce !== null) {
      const place = { chatId: String(chat.id), messageId: String(id) };
      return buttons?.includes(data) === true
        ? this.confirmStop(by, nonce, place)
        : { kind: 'unknown-button' };
    }
    const grant = parseGrantTap(data);
    if (grant !== null) {
      return buttons?.includes(data) === true
        ? this.tapGrant(by, grant, message)
        : { kind: 'unknown-button' };
    }
    const withWords = parseWordsTap(data);
    if (withWords !== null) {
      return buttons?.includes(data) === true
        ? this.tapWords(by, withWords, message)
        : { kind: 'unknown-button' };
    }
    const answer = parseAnswerTap(data);
    if (answer !== null) {
      return buttons?.includes(data) === true
        ? this.tapAnswer(by, answer, message)
        : { kind: 'unknown-button' };
    }
    const turn = parseTurnTap(data);
    if (turn !== null) {
      const isOffered = buttons?.includes(data) === true;
      return this.commands.execute(new TapTurnCommand(turn, String(chat.id), String(id), isOffered, by));
    }
    const result = await this.commands.execute(
      new TapCardCommand(data, String(chat.id), String(id), buttons, by),
    );
    if (result.kind === 'reason-required') return this.offerReasons(by, result, message);
    const card = parseCallbackData(data);
    if (card?.verdict === 'approved' && result.kind === 'too-late')
      await this.offerOnce(by, result.approval, card.nonce, message);
    return result;
  }

  /** Offers one repetition to an operator who approved what its agent no longer waits for. */
  private async offerOnce(
    by: Person,
    approval: Approval,
    nonce: string,
    message: NonNullable<TappedMessage>,
  ): Promise<void> {
    if (!(await this.queries.execute(new MayGrantLateQuery(approval)))) return;
    const data = grantCallbackData({ kind: 'once', nonce });
    const buttons: Button[] = [{ text: '⏱ Allow it once', data, style: 'success' }];
    const options = { replyTo: String(message.message_id), buttons, isReply: true };
    await this.replies.answerOperator(Number(by.id), async () => {
      await this.chat.send(laneOf(message), renderLateOffer(), options);
    });
  }

  /** Shows the result in the chat: the offers as a reply to the card, the grant in place of the offers. */
  private async tapGrant(by: Person, tap: GrantTap, message: NonNullable<TappedMessage>): Promise<Result> {
    const chatId = String(message.chat.id);
    const result = await this.commands.execute(
      new TapGrantCommand(tap, chatId, String(message.message_id), by),
    );
    const reply = this.replyToGrant(by, tap, result, message);
    if (reply === null || (await this.replies.answerOperator(Number(by.id), reply))) return result;
    // The offers are all that this tap does. A grant that was made or ended counts without its message.
    return result.kind === 'grants-offered' ? { kind: 'too-many', retryAfterSeconds: 60 } : result;
  }

  private replyToGrant(
    by: Person,
    tap: GrantTap,
    result: GrantResult,
    message: NonNullable<TappedMessage>,
  ): (() => Promise<void>) | null {
    const edit = (text: RichText, buttons: readonly Button[] = []) =>
      this.chat.edit(String(message.chat.id), String(message.message_id), text, { buttons, isReply: true });
    if (result.kind === 'granted' || result.kind === 'granted-once')
      return () => edit(renderGranted(result.made), [revokeButton(result.made.id)]);
    if (result.kind === 'revoked') return () => edit(renderRevoked(result.id, by));
    if (tap.kind !== 'offers' && isSpent(result)) return () => edit(words(answerTo(result)));
    if (result.kind !== 'grants-offered') return null;
    const options = { replyTo: result.cardMessageId, buttons: offerButtons(result), isReply: true };
    return async () => {
      const sent = await this.chat.send(laneOf(message), renderGrantOffers(result.offers), options);
      if (await this.commands.execute(new RememberOffersCommand(result.nonce, sent.messageId))) return;
      await this.chat.edit(String(message.chat.id), sent.messageId, renderOffersEnded(), { isReply: true });
    };
  }

  /** Offers the reasons as a reply to the card; shows a decision in place of its offer. */
  private async tapWords(by: Person, tap: WordsTap, message: NonNullable<TappedMessage>): Promise<Result> {
    const chatId = String(message.chat.id);
    const result = await this.commands.execute(new TapWordsCommand(tap, chatId, by));
    if (result.kind === 'reasons-offered') return this.offerReasons(by, result, message);
    const isOnReply = tap.kind !== 'reasons';
    await this.replaceReply(by, message, isOnReply ? result : null);
    return result;
  }

  private async offerReasons(
    by: Person,
    result: Extract<Result, { kind: 'reasons-offered' | 'reason-required' }>,
    message: NonNullable<TappedMessage>,
  ): Promise<Result> {
    const options = { replyTo: result.cardMessageId, buttons: reasonButtons(result.nonce), isReply: true };
    const offered = await this.replies.answerOperator(Number(by.id), async () => {
      await this.chat.send(laneOf(message), renderReasonOffers(), options);
    });
    return offered ? result : { kind: 'too-many', retryAfterSeconds: 60 };
  }

  /** Shows the sheet for the answers as a reply to the card, and the answers in its place. The card itself is not touched. */
  private async tapAnswer(by: Person, tap: AnswerTap, message: NonNullable<TappedMessage>): Promise<Result> {
    const chatId = String(message.chat.id);
    const result = await this.commands.execute(new TapAnswerCommand(tap, chatId, by));
    const edit = (text: RichText, buttons: readonly Button[] = []) =>
      this.chat.edit(chatId, String(message.message_id), text, { buttons, isReply: true });
    if (result.kind === 'answers-offered') {
      const { questions, chosen, nonce, cardMessageId, isNew } = result;
      const sheet = renderAnswerSheet(questions, labelsOf(questions, chosen));
      const buttons = sheetButtons(questions, chosen, nonce);
      const options = { replyTo: cardMessageId, buttons, isReply: true };
      const shown = await this.replies.answerOperator(Number(by.id), async () => {
        if (isNew) await this.chat.send(laneOf(message), sheet, options);
        else await edit(sheet, buttons);
      });
      return shown ? result : { kind: 'too-many', retryAfterSeconds: 60 };
    }
    const isOnReply = tap.kind === 'choose' || tap.kind === 'send';
    await this.replaceReply(by, message, isOnReply ? result : null);
    return result;
  }

  /** Shows a decision in place of the message whose button made it, or that its buttons can do nothing any more. */
  private async replaceReply(
    by: Person,
    message: NonNullable<TappedMessage>,
    result: Result | null,
  ): Promise<void> {
    const text =
      result?.kind === 'decided'
        ? renderWordsSent(result.approval)
        : result !== null && isSpent(result)
          ? words(answerTo(result))
          : null;
    if (text === null) return;
    const { chat, message_id: id } = message;
    await this.replies.answerOperator(Number(by.id), () =>
      this.chat.edit(String(chat.id), String(id), text, { isReply: true }),
    );
  }

  private async confirmStop(by: Person, nonce: string, { chatId, messageId }: Place): Promise<StopResult> {
    const result = await this.commands.execute(new ConfirmStopCommand(nonce, chatId, by));
    const text = renderStopResult(result, by);
    if (text !== null)
      await this.replies.answerOperator(Number(by.id), () =>
        this.chat.edit(chatId, messageId, text, { isReply: true }),
      );
    return result;
  }

  /** Retries while the database is unavailable; a decision is idempotent. */
  private async untilAvailable<T>(deciding: Deciding, work: () => Promise<T>): Promise<T> {
    const endsAt = this.clock.monotonicMs() + TAP_LIFETIME_MS;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      try {
        return await work();
      } catch (error) {
        deciding.trouble = error;
        const { aborted } = this.stop.signal;
        if (!isUnavailable(error) || aborted || this.clock.monotonicMs() + waitMs > endsAt) throw error;
        await pause(waitMs, this.stop.signal);
      }
    }
  }

  /** Limits the recorded refusals to one row a person and minute, since anybody in the chat can tap. */
  private turnAway(userId: number, message: TappedMessage): () => Promise<void> {
    const type = 'access.unauthenticated';
    const refusal = this.refusalOf('not-an-operator', userId, message);
    return async () => {
      await this.refusals.recordFlood({ type, ...refusal });
    };
  }

  private refuse(result: string, userId: number, message: TappedMessage): () => Promise<void> {
    const refusal = this.refusalOf(result, userId, message);
    return () => this.refusals.record({ type: 'telegram.tap-refused', ...refusal });
  }

  /** Logs a refused attempt and returns its audit entry, since it is evidence. */
  private refusalOf(result: string, userId: number, message: TappedMessage) {
    this.log.event('warn', 'telegram.tap', { user: userId, result }, 'a tap was refused');
    return {
      actor: `telegram:${userId}`,
      approvalId: null,
      correlationId: currentCorrelationId(),
      data: { result, chatId: String(message?.chat.id ?? ''), messageId: message?.message_id ?? null },
    };
  }

  /** Answers the tap. Best effort: a failure is logged and does not affect the decision. */
  async answer(queryId: string, { text, alert }: Told): Promise<void> {
    const payload = { callback_query_id: queryId, text, show_alert: alert };
    // No retry: a later answer would be useless, and the edited card shows the outcome anyway.
    const options = { timeoutMs: ANSWER_TIMEOUT_MS, retry: false };
    await this.api.call('answerCallbackQuery', payload, options).catch((error: unknown) => {
      const fields = { error: describeError(error) };
      this.log.event('warn', 'telegram.reply-failed', fields, 'an operator could not be answered');
    });
  }
}

/** Results that a message in the chat shows as well. */
const SHOWN: ReadonlySet<Result['kind']> = new Set([
  'decided',
  'counted',
  'taken-back',
  'claimed',
  'snoozed',
  'extended',
  'stopped',
  'grants-offered',
  'reasons-offered',
  'answers-offered',
  'granted',
  'granted-once',
  'revoked',
  'turn-decided',
]);

/** True if the same tap can never do anything again: the buttons of its message are dead. */
const isSpent = ({ kind }: Result): boolean =>
  kind === 'too-late' || kind === 'grants-none' || kind === 'revoked-before';

/** One row of buttons for each scope, with the times for which it may be granted. */
export function offerButtons({ offers, nonce }: Extract<GrantResult, { kind: 'grants-offered' }>): Button[] {
  const ends = Object.entries(GRANT_ENDS) as [keyof typeof GRANT_ENDS, { readonly words: string }][];
  return offers.flatMap(({ id: offer }, nth) =>
    ends.map(([end, { words: length }]) => ({
      text: `${nth + 1} · ${length}`,
      data: grantCallbackData({ kind: 'make', nonce, offer, end }),
      row: nth,
    })),
  );
}

/** Ends a grant; any operator may. */
export function revokeButton(id: string, text = '🚫 Revoke'): Button {
  return { text, data: grantCallbackData({ kind: 'revoke', id }), style: 'danger' };
}

/** The text that replaces the button; null: it stays. */
function renderStopResult({ kind }: StopResult, by: Person): RichText | null {
  switch (kind) {
    case 'stopped':
      return renderStopConfirmed(by);
    case 'stopped-before':
      return words(stoppedAnswer(false));
    case 'stop-too-late':
      return words(stopTooLateAnswer());
    case 'stop-of-another':
    case 'unknown-button':
      return null;
  }
}

function outcomeOf(result: Result): Told & Pick<Outcome, 'kind'> {
  return { kind: result.kind, text: answerTo(result), alert: !SHOWN.has(result.kind) };
}

function answerTo(result: Result): string {
  switch (result.kind) {
    case 'decided':
      return decidedAnswer(result.approval);
    case 'counted':
      return countedAnswer(result.approval);
    case 'counted-before':
      return countedBeforeAnswer();
    case 'taken-back':
      return takenBackAnswer();
    case 'claimed':
      return claimedAnswer();
    case 'snoozed':
      return snoozedAnswer();
    case 'extended':
      return extendedAnswer(result.approval);
    case 'claimed-by-another':
      return claimedByAnotherAnswer(result.approval);
    case 'no-more-time':
      return noMoreTimeAnswer(result.latest);
    case 'not-eligible':
      return notEligibleAnswer();
    case 'needs-passkey':
      return needsPasskeyAnswer();
    case 'too-late':
      return isSettled(result.approval)
        ? settledAnswer(result.approval)
        : expiredAnswer(result.approval.expiresAt);
    case 'too-many':
      return tooManyAnswer(result.retryAfterSeconds);
    case 'not-decidable':
      return notDecidableAnswer();
    case 'stopped':
      return stoppedAnswer(true);
    case 'stopped-before':
      return stoppedAnswer(false);
    case 'stop-of-another':
      return stopOfAnotherAnswer();
    case 'stop-too-late':
      return stopTooLateAnswer();
    case 'grants-offered':
      return grantsOfferedAnswer();
    case 'answers-offered':
      return answersOfferedAnswer();
    case 'reasons-offered':
      return reasonsOfferedAnswer();
    case 'reason-required':
      return reasonRequiredAnswer();
    case 'words-of-another':
      return wordsOfAnotherAnswer();
    case 'grants-none':
      return grantsNoneAnswer();
    case 'granted':
      return grantedAnswer(result.made.expiresAt);
    case 'granted-once':
      return grantedOnceAnswer(result.made.expiresAt);
    case 'turn-decided':
      return turnDecidedAnswer(result.verdict, result.approvalIds.length, result.others);
    case 'turn-outdated':
      return turnOutdatedAnswer();
    case 'turn-over':
      return turnOverAnswer();
    case 'revoked':
      return revokedAnswer(true);
    case 'revoked-before':
      return revokedAnswer(false);
    case 'unknown-button':
      return unknownButtonAnswer();
  }
}
