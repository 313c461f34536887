import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Action, Command, Ctx, On, Update } from 'nestjs-telegraf';
import type { Context, NarrowedContext } from 'telegraf';
import type { CallbackQuery, Message, Update as TelegramUpdate } from 'telegraf/types';
import { CountTodayQuery } from '../../../approvals/digest/count-today';
import { FinishedApprovals } from '../../../approvals/finished-approvals';
import type { Approval } from '../../../approvals/approval';
import { SummarizePendingQuery } from '../../../approvals/queries/summarize-pending';
import { readerNamed } from '../../../access/viewer-of';
import type { Reader } from '../../../kernel/viewer';
import { listCallbackData, parseListTap, stopCallbackData, type ListTap } from './callback-data';
import { BeginDirectLaneCommand } from '../commands/begin-direct-lane';
import { BringUpCardCommand } from '../commands/bring-up-card';
import { OfferStopCommand } from '../commands/offer-stop';
import { MoveChatCommand } from '../commands/move-chat';
import { ReplyToCardCommand } from '../commands/reply-to-card';
import {
  PENDING_PAGE_SIZE,
  renderAnonymous,
  renderClaimed,
  renderElsewhere,
  renderFailed,
  renderHelp,
  renderHere,
  renderLastAnswer,
  renderLate,
  renderPending,
  renderReasonRefused,
  renderStatus,
  renderStopOffer,
  renderStopped,
  renderToday,
  renderWhoami,
} from '../../../cards/operator-text';
import {
  renderOnCall,
  renderOverridden,
  renderOverrideRefused,
  renderOverrideUnclear,
} from '../../../cards/on-call-text';
import { renderReplyOffer } from '../../../cards/words-text';
import { replyButtons } from '../card-buttons';
import { GRANTS_SHOWN, renderGrants } from '../../../cards/grant-text';
import { ListGrantsQuery } from '../../../policy/grants/list-grants';
import { ListOnCallQuery } from '../../../policy/on-call/list-on-call';
import { OverrideRotaCommand } from '../../../policy/on-call/override-rota';
import { EndOverrideCommand } from '../../../policy/on-call/end-override';
import { readEnd, readOverride } from '../../../policy/on-call/read-override';
import { Destination } from '../destination';
import { IsCardQuery } from '../queries/is-card';
import { CountUnsentQuery } from '../../../outbox/queries/count-unsent';
import { tooManyAnswersAnswer, unknownButtonAnswer } from './tap-answers';
import type { RichText } from '../../../cards/rich-text';
import { OperatorChat, type Button } from '../operator-chat';
import { shortId } from '../../../cards/short-id';
import { readActor, readAuditName, type Person } from '../../../kernel/actor';
import { describeError } from '../../../kernel/describe-error';
import { DomainError, InvalidInput } from '../../../kernel/errors';
import { pause } from '../../../kernel/pause';
import { Clock } from '../../../kernel/clock';
import { Log } from '../../../logging/log';
import { laneOf } from './lane-of';
import { buttonDataOf } from './message-buttons';
import { Menu } from '../menu';
import { People, type Sender } from './people';
import { Replies } from './replies';
import { revokeButton, Taps } from './taps';

type Tapped = NarrowedContext<Context, TelegramUpdate.CallbackQueryUpdate<CallbackQuery.DataQuery>>;
type Upgraded = NarrowedContext<Context, TelegramUpdate.MessageUpdate<Message.MigrateToChatIdMessage>>;
type CameFrom = NarrowedContext<Context, TelegramUpdate.MessageUpdate<Message.MigrateFromChatIdMessage>>;
type Said = NarrowedContext<Context, TelegramUpdate.MessageUpdate>;

/** Longest wait of a stranger's reply for room in the send budget, since cards need the room. */
const STRANGER_ROOM_MS = 5_000;

/** A command whose answer takes longer is answered with that, as a tap is: a person who waits sends it again. */
const ANSWER_WITHIN_MS = 2_500;

/** The same limit as for a reason given over REST. */
const MAX_REASON_LENGTH = 1000;

/** The newest requests that wait, of everybody. */
const PENDING_PAGE = {
  keyId: null,
  agentId: null,
  sessionId: null,
  connector: null,
  status: 'pending',
  limit: PENDING_PAGE_SIZE,
} as const;

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

/** The one who asks in a chat: everybody there reads the answer, so that it has what an admin sees in a private chat only. */
const readerIn = (chatId: string, by: Person): Reader => readerNamed(by, chatId === by.id);

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
    private readonly menu: Menu,
    private readonly destination: Destination,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  @Action(/.*/)
  async tapped(@Ctx() { callbackQuery: query, botInfo: bot }: Tapped): Promise<void> {
    const { from, message, data, id } = query;
    const listTap = parseListTap(data);
    const operator = this.people.operatorOf(from.id);
    if (!listTap || !message || !operator) return this.taps.handle(query, bot.id);
    // The list is from before the service answered in its own chat only, or a client forged the data for another
    // message, such as a card, which a page of the list would replace.
    if (!buttonDataOf(message, bot.id)?.includes(data) || !(await this.people.answersIn(message.chat)))
      return this.taps.answer(id, { text: unknownButtonAnswer(), alert: true });
    const where = { chatId: String(message.chat.id), messageId: String(message.message_id) };
    const began = await this.replies.answerOperator(from.id, () => this.browse(listTap, where, operator));
    return this.taps.answer(
      id,
      began ? { text: '', alert: false } : { text: tooManyAnswersAnswer(), alert: true },
    );
  }

  @Command('pending')
  pending(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async ({ actor }) => {
      const isMine = wordsOf(context.message)[0]?.toLowerCase() === 'mine';
      return this.listOf(null, actor, { chatId: String(context.message.chat.id), isMine });
    });
  }

  @Command('claimed')
  claimedAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async ({ actor }) => {
      const filter = {
        ...PENDING_PAGE,
        beforeId: null,
        isClaimed: true,
        reader: readerIn(String(context.message.chat.id), actor),
      } as const;
      const { items } = await this.finished.list(filter);
      return { message: renderClaimed(items, this.clock.now()), buttons: cardButtons(items) };
    });
  }

  @Command('oncall')
  onCallAsked(@Ctx() context: Said): Promise<void> {
    return this.forOperator(context, async ({ actor }) => plain(await this.onCall(context.message, actor)));
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

  private async onCall(message: Said['message'], by: Person): Promise<RichText> {
    const said = wordsOf(message);
    if (said.length === 0) return renderOnCall(await this.queries.execute(new ListOnCallQuery()));
    const end = readEnd(said);
    const override = readOverride(said, by.name);
    const change = end
      ? new EndOverrideCommand(by, end.rota)
      : override && new OverrideRotaCommand(by, override);
    if (change === null) return renderOverrideUnclear();
    try {
      return renderOverridden(await this.commands.execute(change));
    } catch (error) {
      if (error instanceof InvalidInput)
        return renderOverrideRefused(error.errors.map(({ message: why }) => why).join(' '));
      if (error instanceof DomainError && error.code === 'policy.stale')
        return renderOverrideRefused(error.message);
      throw error;
    }
  }

  /** Replies to an operator only; a stranger gets no answer. */
  private async forOperator(context: Said, compose: (operator: Operator) => Promise<Reply>): Promise<void> {
    const sender = this.people.senderOf(context.message);
    if (sender.kind === 'stranger') return;
    const answer = sender.kind === 'operator' ? () => compose(sender) : () => plain(renderAnonymous());
    const answers = await this.people.answersIn(context.message.chat);
    if (answers && sender.kind === 'operator') void this.menu.offerOnce(String(context.message.chat.id));
    await this.answer(context, sender, answers ? answer : elsewhere);
  }

  private async forAnybody(context: Said, compose: (sender: Sender) => RichText): Promise<void> {
    const sender = this.people.senderOf(context.message);
    // Somebody whom a policy will name may have started the bot before.
    if (sender.kind !== 'anonymous' && context.message.chat.id === sender.id)
      await this.commands.execute(new BeginDirectLaneCommand(sender.id));
    const answer = () => plain(compose(sender));
    const answers = await this.people.answersIn(context.message.chat);
    if (answers && sender.kind === 'operator') void this.menu.offerOnce(String(context.message.chat.id));
    await this.answer(context, sender, answers ? answer : elsewhere);
  }

  /** Replies to anybody, within rate limits: a new operator has to learn the id. */
  private async answer(context: Said, { kind, id }: Sender, compose: Compose): Promise<void> {
    if (kind === 'operator' && compose !== elsewhere) {
      await this.replies.answerOperator(id, this.replyTo(context, compose));
    } else await this.replies.answerStranger(id, this.replyTo(context, compose, STRANGER_ROOM_MS));
  }

  /**
   * Lists requests without decisions that the person sees: each button leads to one card, the last to the next page.
   *
   * @param isMine only those that wait for this person
   */
  private async listOf(
    beforeId: string | null,
    by: Person,
    { chatId, isMine }: { readonly chatId: string; readonly isMine: boolean },
  ): Promise<Reply> {
    const reader = readerIn(chatId, by);
    const { items, nextBeforeId } = await this.finished.list({
      ...PENDING_PAGE,
      beforeId,
      reader,
      ...(isMine && { awaits: { kind: by.channel, id: by.id } }),
    });
    const total = isMine ? null : (await this.queries.execute(new SummarizePendingQuery(reader))).pending;
    const cards = cardButtons(items);
    const next = nextBeforeId && {
      text: 'Next ▶',
      data: listCallbackData({ kind: 'page', beforeId: nextBeforeId, isMine }),
    };
    return {
      message: renderPending(items, total, this.clock.now()),
      buttons: next ? [...cards, next] : cards,
    };
  }

  private async browse(tap: ListTap, { chatId, messageId }: Place, by: Person): Promise<void> {
    if (tap.kind === 'page') {
      const { message, buttons } = await this.listOf(tap.beforeId, by, { chatId, isMine: tap.isMine });
      return this.chat.edit(chatId, messageId, message, { buttons, isReply: true });
    }
    const cards = await this.commands.execute(new BringUpCardCommand(tap.id));
    const card = cards.find((each) => each.chatId === chatId);
    if (card === undefined) return;
    await this.chat.send(card, renderHere(tap.id), { replyTo: card.messageId, isReply: true });
  }

  /** The answer, or the reason why there is none in time. */
  private async inTime(compose: Compose): Promise<Reply> {
    const end = new AbortController();
    try {
      const late = pause(ANSWER_WITHIN_MS, end.signal).then(() => plain(renderLate()));
      return await Promise.race([compose(), late]);
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('warn', 'telegram.command-failed', fields, 'a command got no answer but that it failed');
      return plain(renderFailed());
    } finally {
      end.abort();
    }
  }

  private replyTo({ message }: Said, compose: Compose, roomMs?: number) {
    const replyTo = String(message.message_id);
    return async (isLast = false): Promise<void> => {
      const { message: text, buttons } = await this.inTime(compose);
      await this.chat.send(laneOf(message), isLast ? renderLastAnswer(text) : text, {
        replyTo,
        buttons,
        roomMs,
        isReply: true,
      });
    };
  }
}

/** Each leads to the card of one request. */
const cardButtons = (items: readonly Pick<Approval, 'id'>[]): Button[] =>
  items.map(({ id }) => ({ text: `🔎 ${shortId(id)}`, data: listCallbackData({ kind: 'show', id }) }));

/** The words behind a command. */
const wordsOf = (message: Said['message']): readonly string[] =>
  'text' in message ? message.text.trim().split(/\s+/).slice(1) : [];

/** The fault that keeps a reply to a card from being a reason; null for a valid one. */
function faultOf({ kind }: Sender, text: string | null): string | null {
  if (kind === 'anonymous')
    return 'you write as the group or as a channel, and only a person who is known can give one (see /whoami)';
  if (text === null) return 'reasons are taken as text; reply to the card with words';
  return text.length > MAX_REASON_LENGTH ? `at most ${MAX_REASON_LENGTH} characters` : null;
}
