import { Inject } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Action, Command, Ctx, On, Update } from 'nestjs-telegraf';
import type { Context, NarrowedContext } from 'telegraf';
import type { CallbackQuery, Message, Update as TelegramUpdate } from 'telegraf/types';
import { isSettled, type Actor, type Approval } from '../approvals/approval';
import { ListApprovalsQuery, type ApprovalPage } from '../approvals/queries/list-approvals';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { listCallbackData, parseListTap, type ListTap } from '../escalation/callback-data';
import { isUnavailable } from '../database/database';
import { BringUpCardCommand } from '../escalation/commands/bring-up-card';
import { ReplyToCardCommand } from '../escalation/commands/reply-to-card';
import { TapCardCommand, type TapResult } from '../escalation/commands/tap-card';
import {
  PENDING_PAGE_SIZE,
  renderHelp,
  renderHere,
  renderPending,
  renderReasonRefused,
  renderStatus,
  renderWhoami,
} from '../escalation/operator-text';
import { OverviewQuery } from '../escalation/queries/overview';
import {
  decidedAnswer,
  expiredAnswer,
  failedAnswer,
  notOperatorAnswer,
  settledAnswer,
  tooManyAnswer,
  notDecidableAnswer,
  unknownButtonAnswer,
} from '../escalation/tap-answers';
import { OperatorChat, type Button, type MessageText } from '../escalation/operator-chat';
import { shortId } from '../escalation/short-id';
import { Clock } from '../kernel/clock';
import { currentCorrelationId, joinCorrelation } from '../logging/correlation';
import { describeError, Log } from '../logging/log';
import { Tracing } from '../tracing/tracing';
import { Replies } from './replies';
import { TelegramApi } from './telegram-api';

type Tapped = NarrowedContext<Context, TelegramUpdate.CallbackQueryUpdate<CallbackQuery.DataQuery>>;
type Said = NarrowedContext<Context, TelegramUpdate.MessageUpdate<Message.TextMessage>>;

/** An answer later than this finds no one waiting (the Bot API allows 15 s). */
const ANSWER_TIMEOUT_MS = 3_000;

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

/** Longer, a stranger's reply does not wait for room: cards need it. */
const STRANGER_ROOM_MS = 5_000;

/** The same as for a reason given over REST. */
const MAX_REASON_LENGTH = 1000;

interface Reply {
  readonly message: MessageText;
  readonly buttons: readonly Button[];
}

interface Place {
  readonly chatId: string;
  readonly messageId: string;
}

const plain = (message: MessageText): Reply => ({ message, buttons: [] });

/** What operators do in Telegram. Handlers return nothing: Telegraf would send it to the chat. */
@Update()
export class OperatorUpdates {
  private readonly operators: ReadonlyMap<string, string>;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly api: TelegramApi,
    private readonly chat: OperatorChat,
    private readonly replies: Replies,
    private readonly refusals: RefusalLog,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly tracing: Tracing,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = new Map(config.telegram?.operators.map(({ id, name }) => [id, name]));
  }

  @Action(/.*/)
  async tapped(@Ctx() context: Tapped): Promise<void> {
    const { id, data, from, message } = context.callbackQuery;
    const operator = this.operatorOf(from.id);
    if (!operator) {
      await this.turnAway(from.id, message);
      return this.answer(id, notOperatorAnswer(String(from.id)), true);
    }
    if (!message) {
      // Under what another bot's inline mode wrote: never ours.
      await this.refuse(from.id, message);
      return this.answer(id, unknownButtonAnswer(), true);
    }
    const where = { chatId: String(message.chat.id), messageId: String(message.message_id) };
    const listTap = parseListTap(data);
    if (listTap) {
      this.replies.begin(() => this.browse(listTap, where));
      return this.answer(id, '', false);
    }
    const result = await this.commands
      .execute(new TapCardCommand(data, where.chatId, where.messageId, operator))
      .catch(async (error: unknown) => {
        // While the database is away, Telegram sends the tap again.
        if (!isUnavailable(error)) await this.answer(id, failedAnswer(), true);
        throw error;
      });
    const answer = () => this.answer(id, answerTo(result), result.kind !== 'decided');
    if (!('approval' in result)) {
      if (result.kind === 'unknown-button') await this.refuse(from.id, message);
      // A limit is written down where it is counted, once a minute.
      else
        this.log.event(
          'warn',
          'telegram.tap',
          { user: from.id, result: result.kind },
          'a tap decided nothing',
        );
      return answer();
    }
    const { correlationId, traceparent } = result.approval;
    joinCorrelation(correlationId);
    this.logTap(from.id, result);
    return this.tracing.resume(traceparent, 'telegram.tap', { result: result.kind }, answer);
  }

  @Command('pending')
  pending(@Ctx() context: Said): void {
    this.forOperator(context, async () => this.listOf(await this.pageOfPending(null)));
  }

  @Command('status')
  statusAsked(@Ctx() context: Said): void {
    this.forOperator(context, async () =>
      plain(renderStatus(await this.queries.execute(new OverviewQuery()), this.clock.now())),
    );
  }

  @Command('whoami')
  async whoami(@Ctx() context: Said): Promise<void> {
    const { from } = context.message;
    const name = this.operators.get(String(from.id));
    await this.forAnybody(
      context,
      plain(
        renderWhoami({ id: String(from.id), name: name ?? from.first_name, operator: name !== undefined }),
      ),
    );
  }

  @Command(['help', 'start'])
  async help(@Ctx() context: Said): Promise<void> {
    await this.forAnybody(context, plain(renderHelp()));
  }

  /**
   * A reply to a card gives the reason for a rejection (telegram.md 20). The last of the handlers, since those
   * behind it would not hear of any text.
   */
  @On('text')
  async said(@Ctx() context: Said): Promise<void> {
    const { from, sender_chat: senderChat, chat, text, reply_to_message: card } = context.message;
    const operator = this.operatorOf(from.id);
    if (!operator || senderChat || !card) return;
    if (text.length > MAX_REASON_LENGTH) {
      const refusal = renderReasonRefused(`at most ${MAX_REASON_LENGTH} characters`);
      this.reply(context, () => plain(refusal));
      return;
    }
    const command = new ReplyToCardCommand(String(chat.id), String(card.message_id), operator, text);
    const result = await this.commands.execute(command);
    this.log.event('info', 'telegram.reply', { user: from.id, result }, 'an operator replied');
    if (result === 'refused') {
      const why = 'only whoever rejected a request can say why, and once';
      this.reply(context, () => plain(renderReasonRefused(why)));
    }
  }

  /** Known by the numeric id and nothing else: names can be taken, chats are shared. */
  private operatorOf(userId: number): Actor | null {
    const id = String(userId);
    const name = this.operators.get(id);
    return name === undefined ? null : { kind: 'telegram', id, name };
  }

  private forOperator(context: Said, compose: () => Promise<Reply>): void {
    const { from, sender_chat: senderChat } = context.message;
    if (!senderChat && this.operatorOf(from.id)) this.reply(context, compose);
  }

  /** Strangers too, within their limit: a new operator has to learn the id. */
  private async forAnybody(context: Said, reply: Reply): Promise<void> {
    const { id } = context.message.from;
    if (this.operatorOf(id)) this.reply(context, () => reply);
    else if (await this.replies.mayAnswerStranger(id)) this.reply(context, () => reply, STRANGER_ROOM_MS);
  }

  private async pageOfPending(beforeId: string | null): Promise<ApprovalPage> {
    const everything = { keyId: null, agentId: null, sessionId: null };
    const filter = { ...everything, status: 'pending', beforeId, limit: PENDING_PAGE_SIZE } as const;
    return this.queries.execute(new ListApprovalsQuery(filter));
  }

  /** Nothing is decided in a list: each button leads to one card, the last to the next page. */
  private async listOf({ items, nextBeforeId }: ApprovalPage): Promise<Reply> {
    const { pending } = await this.queries.execute(new OverviewQuery());
    const cards = items.map(({ id }) => ({
      text: `🔎 ${shortId(id)}`,
      data: listCallbackData({ kind: 'show', id }),
    }));
    const next = nextBeforeId && {
      text: 'Next ▶',
      data: listCallbackData({ kind: 'page', beforeId: nextBeforeId }),
    };
    return {
      message: renderPending(items, pending, this.clock.now()),
      buttons: next ? [...cards, next] : cards,
    };
  }

  private async browse(tap: ListTap, { chatId, messageId }: Place): Promise<void> {
    if (tap.kind === 'page') {
      const { message, buttons } = await this.listOf(await this.pageOfPending(tap.beforeId));
      return this.chat.edit(chatId, messageId, message, { buttons, isReply: true });
    }
    const [card] = await this.commands.execute(new BringUpCardCommand(tap.id));
    if (card?.chatId !== chatId) return;
    await this.chat.send(chatId, renderHere(tap.id), { replyTo: card.messageId, isReply: true });
  }

  private reply({ message }: Said, compose: () => Reply | Promise<Reply>, roomMs?: number): void {
    const replyTo = String(message.message_id);
    this.replies.begin(async () => {
      const { message: text, buttons } = await compose();
      await this.chat.send(String(message.chat.id), text, { replyTo, buttons, roomMs, isReply: true });
    });
  }

  /** Whoever is in the chat can tap for ever: one row a person and minute, as of all who have no identity. */
  private async turnAway(userId: number, message: Tapped['callbackQuery']['message']): Promise<void> {
    const type = 'access.unauthenticated';
    await this.refusals.recordFlood({ type, ...this.refusalOf('not-an-operator', userId, message) });
  }

  private async refuse(userId: number, message: Tapped['callbackQuery']['message']): Promise<void> {
    const type = 'telegram.tap-refused';
    await this.refusals.record({ type, ...this.refusalOf('unknown-button', userId, message) });
  }

  /** A refused attempt is evidence: it is written down, and logged. */
  private refusalOf(result: string, userId: number, message: Tapped['callbackQuery']['message']) {
    this.log.event('warn', 'telegram.tap', { user: userId, result }, 'a tap was refused');
    return {
      actor: `telegram:${userId}`,
      approvalId: null,
      correlationId: currentCorrelationId(),
      data: { result, chatId: String(message?.chat.id ?? ''), messageId: message?.message_id ?? null },
    };
  }

  /** The decision stands, whether or not its tapper can be told. */
  private async answer(queryId: string, text: string, alert: boolean): Promise<void> {
    await this.api
      .call(
        'answerCallbackQuery',
        { callback_query_id: queryId, text, show_alert: alert },
        // A later answer would find no one waiting, and an edit tells the outcome anyway.
        { timeoutMs: ANSWER_TIMEOUT_MS, retry: false },
      )
      .catch((error: unknown) => this.complain(error));
  }

  private complain(error: unknown): void {
    this.log.event(
      'warn',
      'telegram.reply-failed',
      { error: describeError(error) },
      'an operator could not be answered',
    );
  }

  private logTap(userId: number, { kind, approval }: Extract<TapResult, { approval: Approval }>): void {
    const fields = { user: userId, result: kind, approvalId: approval.id, status: approval.status };
    this.log.event('info', 'telegram.tap', fields, 'an operator tapped');
  }
}
