import { Inject } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Action, Command, Ctx, Update } from 'nestjs-telegraf';
import type { Context, NarrowedContext } from 'telegraf';
import type { CallbackQuery, Message, Update as TelegramUpdate } from 'telegraf/types';
import { isSettled, type Actor } from '../approvals/approval';
import { ListApprovalsQuery } from '../approvals/queries/list-approvals';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { TapCardCommand, type TapResult } from '../escalation/commands/tap-card';
import {
  PENDING_PAGE_SIZE,
  renderHelp,
  renderPending,
  renderStatus,
  renderWhoami,
} from '../escalation/operator-text';
import { OverviewQuery } from '../escalation/queries/overview';
import {
  decidedAnswer,
  expiredAnswer,
  notOperatorAnswer,
  settledAnswer,
  unknownButtonAnswer,
} from '../escalation/tap-answers';
import { OperatorChat, type MessageText } from '../escalation/operator-chat';
import { Clock } from '../kernel/clock';
import { describeError, Log } from '../logging/log';
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
    case 'unknown-button':
      return unknownButtonAnswer();
  }
}

/** What operators do in Telegram. Handlers return nothing: Telegraf would send it to the chat. */
@Update()
export class OperatorUpdates {
  private readonly operators: ReadonlyMap<string, string>;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly api: TelegramApi,
    private readonly chat: OperatorChat,
    private readonly refusals: RefusalLog,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = new Map(config.telegram?.operators.map(({ id, name }) => [id, name]));
  }

  @Action(/.*/)
  async tapped(@Ctx() context: Tapped): Promise<void> {
    const { id, data, from, message } = context.callbackQuery;
    const operator = this.operatorOf(from.id);
    if (!operator || !message) {
      await this.refusals.record({
        type: 'telegram.tap-refused',
        actor: `telegram:${from.id}`,
        approvalId: null,
        correlationId: null,
        data: { chatId: String(message?.chat.id ?? ''), messageId: message?.message_id ?? null },
      });
      this.log.event(
        'warn',
        'telegram.tap',
        { user: from.id, result: 'not-an-operator' },
        'a stranger tapped',
      );
      return this.answer(id, notOperatorAnswer(String(from.id)), true);
    }
    const result = await this.commands.execute(
      new TapCardCommand(data, String(message.chat.id), String(message.message_id), operator),
    );
    this.logTap(from.id, result);
    return this.answer(id, answerTo(result), result.kind !== 'decided');
  }

  @Command('pending')
  async pending(@Ctx() context: Said): Promise<void> {
    await this.forOperator(context, async () => {
      const { pending } = await this.queries.execute(new OverviewQuery());
      const page = await this.queries.execute(
        new ListApprovalsQuery({
          keyId: null,
          status: 'pending',
          agentId: null,
          sessionId: null,
          beforeId: null,
          limit: PENDING_PAGE_SIZE,
        }),
      );
      return renderPending(page.items, pending, this.clock.now());
    });
  }

  @Command('status')
  async statusAsked(@Ctx() context: Said): Promise<void> {
    await this.forOperator(context, async () =>
      renderStatus(await this.queries.execute(new OverviewQuery()), this.clock.now()),
    );
  }

  @Command('whoami')
  async whoami(@Ctx() context: Said): Promise<void> {
    const { from } = context.message;
    const name = this.operators.get(String(from.id));
    await this.reply(
      context,
      renderWhoami({ id: String(from.id), name: name ?? from.first_name, operator: name !== undefined }),
    );
  }

  @Command(['help', 'start'])
  async help(@Ctx() context: Said): Promise<void> {
    await this.reply(context, renderHelp());
  }

  /** Known by the numeric id and nothing else: names can be taken, chats are shared. */
  private operatorOf(userId: number): Actor | null {
    const id = String(userId);
    const name = this.operators.get(id);
    return name === undefined ? null : { kind: 'telegram', id, name };
  }

  private async forOperator(context: Said, render: () => Promise<MessageText>): Promise<void> {
    const { from, sender_chat: senderChat } = context.message;
    if (senderChat || !this.operatorOf(from.id)) return;
    await this.reply(context, await render());
  }

  private async reply({ message }: Said, text: MessageText): Promise<void> {
    await this.chat
      .send(String(message.chat.id), text, { replyTo: String(message.message_id) })
      .catch((error: unknown) => this.complain(error));
  }

  /** The decision stands, whether or not its tapper can be told. */
  private async answer(queryId: string, text: string, alert: boolean): Promise<void> {
    await this.api
      .call(
        'answerCallbackQuery',
        { callback_query_id: queryId, text, show_alert: alert },
        { timeoutMs: ANSWER_TIMEOUT_MS },
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

  private logTap(userId: number, result: TapResult): void {
    const approval =
      'approval' in result ? { approvalId: result.approval.id, status: result.approval.status } : {};
    this.log.event(
      'info',
      'telegram.tap',
      { user: userId, result: result.kind, ...approval },
      'an operator tapped',
    );
  }
}
