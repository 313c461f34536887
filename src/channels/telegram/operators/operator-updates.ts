import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Action, Command, Ctx, On, Update } from 'nestjs-telegraf';
import type { Context, NarrowedContext } from 'telegraf';
import type { CallbackQuery, Message, Update as TelegramUpdate } from 'telegraf/types';
import { CountTodayQuery } from '../../../approvals/digest/count-today';
import { FinishedApprovals } from '../../../approvals/finished-approvals';
import type { ApprovalPage } from '../../../approvals/queries/list-approvals';
import { SummarizePendingQuery } from '../../../approvals/queries/summarize-pending';
import { listCallbackData, parseListTap, stopCallbackData, type ListTap } from './callback-data';
import { BeginDirectLaneCommand } from '../commands/begin-direct-lane';
import { BringUpCardCommand } from '../commands/bring-up-card';
import { OfferStopCommand } from '../commands/offer-stop';
import { MoveChatCommand } from '../commands/move-chat';
import { ReplyToCardCommand } from '../commands/reply-to-card';
import {
  PENDING_PAGE_SIZE,
  renderAnonymous,
  renderElsewhere,
  renderHelp,
  renderHere,
  renderPending,
  renderReasonRefused,
  renderStatus,
  renderStopOffer,
  renderStopped,
  renderToday,
  renderWhoami,
} from '../../../cards/operator-text';
import { renderReplyOffer } from '../../../cards/words-text';
import { replyButtons } from '../card-buttons';
import { GRANTS_SHOWN, renderGrants } from '../../../cards/grant-text';
import { ListGrantsQuery } from '../../../policy/grants/list-grants';
import { Destination } from '../destination';
import { IsCardQuery } from '../queries/is-card';
import { CountUnsentQuery } from '../../../outbox/queries/count-unsent';
import { tooManyAnswersAnswer, unknownButtonAnswer } from './tap-answers';
import type { RichText } from '../../../cards/rich-text';
import { OperatorChat, type Button } from '../operator-chat';
import { shortId } from '../../../cards/short-id';
import { readActor, readAuditName } from '../../../kernel/actor';
import { Clock } from '../../../kernel/clock';
import { Log } from '../../../logging/log';
import { laneOf } from './lane-of';
import { buttonDataOf } from './message-buttons';
import { People, type Sender } from './people';
import { Replies } from './replies';
import { revokeButton, Taps } from './taps';

type Tapped = NarrowedContext<Context, TelegramUpdate.CallbackQueryUpdate<CallbackQuery.DataQuery>>;
type Upgraded = NarrowedContext<Context, TelegramUpdate.MessageUpdate<Message.MigrateToChatIdMessage>>;
type CameFrom = NarrowedContext<Context, TelegramUpdate.MessageUpdate<Message.MigrateFromChatIdMessage>>;
type Said = NarrowedContext<Context, TelegramUpdate.MessageUpdate>;

/** Longest wait of a stranger's reply for room in the send budget, since cards need the room. */
const STRANGER_ROOM_MS = 5_000;

/** The same limit as for a reason given over REST. */
const MAX_REASON_LENGTH = 1000;

interface Reply {
  readonly message: RichText;
  readonly buttons: readonly Button[];
}

interface Place {
  readonly chatId: string;
  readonly messageId: string;
}

type Operator = Extract<Sender, { kind: 'operator' }>;

type Compose = () => Reply | Promise<Reply>;

const plain = (message: RichText): Reply => ({ message, buttons: [] });

/** Reveals nothing about requests and people. */
const elsewhere: Compose = () => plain(renderElsewhere());

/** Handles what operators do in Telegram. Handlers return nothing: Telegraf would send the value to the chat. */
@Update()
export class OperatorUpdates {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly finished: FinishedApprovals,
    private readonly chat: OperatorChat,
    private readonly people: People,
    private readonly taps: Taps,
    private readonly replies: Replies,
    private readonly destination: Destination,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  @Action(/.*/)
  async tapped(@Ctx() { callbackQuery: query, botInfo: bot }: Tapped): Promise<void> {
    const { from, message, data, id } = query;
    const listTap = parseListTap(data);
    if (!listTap || !message || !this.people.operatorOf(from.id)) return this.taps.handle(query, bot.id);
    // The list is from before the service answered in its own chat only, or a client forged the data for another
    // message, such as a card, which a page of the list would replace.
    if (!buttonDataOf(message, bot.id)?.includes(data) || !(await this.people.answersIn(message.chat)))
      return this.taps.answer(id, { text: unknownButtonAnswer(), alert: true });
    const where = { chatId: String(message.chat.id), messageId: String(message.message_id) };
    const began = await this.replies.answerOperator(from.id, () => this.browse(listTap, where));
    return this.taps.answer(
      id,
      began ? { text: '', alert: false } : { text: tooManyAnswersAnswer(), alert: true },
    );
  }

  @Command('pending')
  pending(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async () => this.listOf(await this.pageOfPending(null)));
  }

  @Command('status')
  statusAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async () => {
      const summary = await this.queries.execute(new SummarizePendingQuery());
      const unsent = await this.queries.execute(new CountUnsentQuery());
      return plain(renderStatus({ ...summary, unsent }, this.clock.now()));
    });
  }

  @Command('grants')
  grantsAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async () => {
      const grants = (await this.queries.execute(new ListGrantsQuery())).map((grant) => ({
        ...grant,
        scope: grant.words,
        by: readActor(grant.by),
        key: grant.keyId,
        usesLeft: grant.maxUses === null ? null : grant.maxUses - grant.uses,
      }));
      const buttons = grants.slice(0, GRANTS_SHOWN).map(({ id }) => revokeButton(id, `🚫 ${shortId(id)}`));
      return { message: renderGrants(grants, this.clock.now()), buttons };
    });
  }

  @Command('stop')
  stopAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async ({ actor }) => {
      const chatId = String(context.message.chat.id);
      const offer = await this.commands.execute(new OfferStopCommand(actor, chatId));
      if ('stopped' in offer) {
        const { by, at } = offer.stopped;
        return plain(renderStopped(this.people.nameOf(readAuditName(by)), at));
      }
      const stop: Button = { text: '🛑 Stop', data: stopCallbackData(offer.nonce), style: 'danger' };
      return { message: renderStopOffer(actor), buttons: [stop] };
    });
  }

  @Command('today')
  todayAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async () =>
      plain(renderToday(await this.queries.execute(new CountTodayQuery()))),
    );
  }

  @Command('whoami')
  whoami(@Ctx() context: Said): Promise<void> {
    return this.forAnybody(context, (sender) =>
      sender.kind === 'anonymous'
        ? renderAnonymous()
        : renderWhoami({ id: String(sender.id), name: sender.name, operator: sender.kind === 'operator' }),
    );
  }

  @Command(['help', 'start'])
  help(@Ctx() context: Said): Promise<void> {
    return this.forAnybody(context, () => renderHelp());
  }

  /** Telegram sends this to the old and the new chat when a group becomes a supergroup; either one is enough. */
  @On('migrate_to_chat_id')
  async upgraded(@Ctx() { message: { chat, migrate_to_chat_id: to } }: Upgraded): Promise<void> {
    await this.follow(String(chat.id), String(to));
  }

  @On('migrate_from_chat_id')
  async cameFrom(@Ctx() { message: { chat, migrate_from_chat_id: from } }: CameFrom): Promise<void> {
    await this.follow(String(from), String(chat.id));
  }

  /** Follows only the upgrade of the operators' group; the bot may be in others. */
  private async follow(from: string, to: string): Promise<void> {
    if (from === this.destination.configured.chatId || this.people.isDestination(from))
      await this.commands.execute(new MoveChatCommand(from, to));
  }

  /**
   * Takes a reply to a pending card as words that two buttons send with a decision, and a reply to a rejected one as its reason
   * (telegram.md 20). This handler must be the last: those after
   * it would not receive any message.
   */
  @On('message')
  async takeReply(@Ctx() context: Said): Promise<void> {
    const { message } = context;
    if (!('reply_to_message' in message)) return;
    const sender = this.people.senderOf(message);
    if (sender.kind === 'stranger') return;
    const card = [String(message.chat.id), String(message.reply_to_message.message_id)] as const;
    const reason = 'text' in message ? message.text : null;
    const fault = faultOf(sender, reason);
    if (fault === null && sender.kind === 'operator') {
      const command = new ReplyToCardCommand(...card, sender.actor, reason ?? '');
      const result = await this.commands.execute(command);
      const { kind } = result;
      this.log.event('info', 'telegram.reply', { user: sender.id, result: kind }, 'an operator replied');
      if (kind === 'kept') {
        const { nonce, approvalId } = result;
        await this.answer(context, sender, async () => {
          const { approval } = await this.finished.get(approvalId, 'everything', null);
          const said = reason ?? '';
          return {
            message: renderReplyOffer(said, approval),
            buttons: replyButtons(approval, said, nonce),
          };
        });
      }
      if (kind === 'refused')
        await this.answer(context, sender, () =>
          plain(renderReasonRefused('the request has ended, and only whoever rejected it can say why, once')),
        );
    } else if (await this.queries.execute(new IsCardQuery(...card))) {
      await this.answer(context, sender, () => plain(renderReasonRefused(fault ?? 'it cannot be read')));
    }
  }

  /** Replies to an operator only; a stranger gets no answer. */
  private async forOperator(context: Said, compose: (operator: Operator) => Promise<Reply>): Promise<void> {
    const sender = this.people.senderOf(context.message);
    if (sender.kind === 'stranger') return;
    const answer = sender.kind === 'operator' ? () => compose(sender) : () => plain(renderAnonymous());
    await this.answer(
      context,
      sender,
      (await this.people.answersIn(context.message.chat)) ? answer : elsewhere,
    );
  }

  private async forAnybody(context: Said, compose: (sender: Sender) => RichText): Promise<void> {
    const sender = this.people.senderOf(context.message);
    // Somebody whom a policy will name may have started the bot before.
    if (sender.kind !== 'anonymous' && context.message.chat.id === sender.id)
      await this.commands.execute(new BeginDirectLaneCommand(sender.id));
    const answer = () => plain(compose(sender));
    await this.answer(
      context,
      sender,
      (await this.people.answersIn(context.message.chat)) ? answer : elsewhere,
    );
  }

  /** Replies to anybody, within rate limits: a new operator has to learn the id. */
  private async answer(context: Said, { kind, id }: Sender, compose: Compose): Promise<void> {
    if (kind === 'operator' && compose !== elsewhere)
      await this.replies.answerOperator(id, this.replyTo(context, compose));
    else await this.replies.answerStranger(id, this.replyTo(context, compose, STRANGER_ROOM_MS));
  }

  private async pageOfPending(beforeId: string | null): Promise<ApprovalPage> {
    const everything = { keyId: null, agentId: null, sessionId: null, connector: null };
    const filter = { ...everything, status: 'pending', beforeId, limit: PENDING_PAGE_SIZE } as const;
    return this.finished.list(filter);
  }

  /** Lists requests without decisions: each button leads to one card, the last to the next page. */
  private async listOf({ items, nextBeforeId }: ApprovalPage): Promise<Reply> {
    const { pending } = await this.queries.execute(new SummarizePendingQuery());
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
    const cards = await this.commands.execute(new BringUpCardCommand(tap.id));
    const card = cards.find((each) => each.chatId === chatId);
    if (card === undefined) return;
    await this.chat.send(card, renderHere(tap.id), { replyTo: card.messageId, isReply: true });
  }

  private replyTo({ message }: Said, compose: Compose, roomMs?: number): () => Promise<void> {
    const replyTo = String(message.message_id);
    return async () => {
      const { message: text, buttons } = await compose();
      await this.chat.send(laneOf(message), text, { replyTo, buttons, roomMs, isReply: true });
    };
  }
}

/** The fault that keeps a reply to a card from being a reason; null for a valid one. */
function faultOf({ kind }: Sender, text: string | null): string | null {
  if (kind === 'anonymous')
    return 'you write as the group or as a channel, and only a person who is known can give one (see /whoami)';
  if (text === null) return 'reasons are taken as text; reply to the card with words';
  return text.length > MAX_REASON_LENGTH ? `at most ${MAX_REASON_LENGTH} characters` : null;
}
