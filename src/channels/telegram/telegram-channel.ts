import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CommandBus, EventBus, QueryBus } from '@nestjs/cqrs';
import { isSettled, possibleVerdicts, type Approval, type SettledApproval } from '../../approvals/approval';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { DirectLaneStore } from '../../people/direct-lane-store';
import { FindMentionedInQuery } from '../../approvals/chains/find-mentioned-in';
import { FindEarlierRequestsQuery } from '../../approvals/queries/find-earlier-requests';
import { SummarizePendingQuery } from '../../approvals/queries/summarize-pending';
import { ActivePolicy } from '../../policy/active-policy';
import { CONFIG, type Config } from '../../config/environment';
import { Clock } from '../../kernel/clock';
import { joinCorrelation } from '../../logging/correlation';
import { Log } from '../../logging/log';
import { Tracing } from '../../tracing/tracing';
import { digestOfFiles, type ActionFile } from '../../cards/action-file';
import {
  actionPieces,
  hasMedia,
  MAX_PIECES,
  piecesNeeded,
  type ActionPieces,
} from '../../cards/action-pieces';
import { MayGrantQuery } from '../../approvals/queries/find-grant-offers';
import { MoveChatCommand } from './commands/move-chat';
import { ChatMoves } from './chat-moves';
import { TelegramFailure } from './bot-api/telegram-failure';
import { MAX_MESSAGE_LENGTH } from './dialect';
import { Destination } from './destination';
import { formatLane, parseLane } from './lane';
import { buttonsFor } from './card-buttons';
import { isComplete } from './commands/tap-card';
import { newNonce } from './operators/callback-data';
import { prepareCard, type SentPieces } from '../../cards/card-body';
import { CardStore, type Card, type CardPiece } from './card-store';
import { renderAnnouncement } from '../../cards/announcement-text';
import { renderCard, renderFileCaption, renderOutcome, type Mentioned } from '../../cards/card-text';
import { renderOffersEnded } from '../../cards/grant-text';
import { sha256Hex } from '../../kernel/canonical-json';
import { displayDigest } from '../../cards/display-digest';
import { CardDelivered } from '../delivery-events';
import { Channel, DeliveryFailure, type Missed } from '../channel';
import type { RichText } from '../../cards/rich-text';
import { OperatorChat, type Button } from './operator-chat';
import { remember } from './remember';
import { TurnSummaries } from './turn-summaries';
import { renderDigest, renderGapNotice, renderWarning } from '../../cards/operator-text';
import {
  OutboxStore,
  type ApprovalWork,
  type LaneWork,
  type TurnsOf,
  type Work,
} from '../../outbox/outbox-store';

/** A send whose answer was lost is retried once; further losses must not flood the chat (telegram.md 6). */
const MAX_LOST_SENDS = 2;

/** Two reminders that are nearer to each other are one. */
const MIN_REMINDERS_APART_MS = 60_000;

function incompleteNotice(approval: Approval): string {
  const approvable = possibleVerdicts(approval).includes('approved');
  return `The complete action could not be attached yet.${approvable ? ' Approve appears once it is.' : ''}`;
}

function withoutFilesNotice(approval: Approval): string {
  const reason = hasMedia(approval, MAX_MESSAGE_LENGTH)
    ? 'the action has data that only a file can hold'
    : `the action would need ${piecesNeeded(approval, MAX_MESSAGE_LENGTH)} messages (at most ${MAX_PIECES} are sent)`;
  return (
    `This chat takes no files, and ${reason}. It cannot be approved here before the bot may send files in this chat. ` +
    '"countersign approvals" shows and decides it.'
  );
}

/** The number of first files that are in the chat. The card has the digest of these. */
function countSent({ filesSha256 }: Card, files: readonly ActionFile[]): number {
  if (filesSha256 === null) return 0;
  return files.findIndex((_, i) => digestOfFiles(files.slice(0, i + 1)) === filesSha256) + 1;
}

/** The id that the refusal names for a group that became a supergroup; null: it names none. */
const newChatOf = ({ cause }: DeliveryFailure): string | null =>
  cause instanceof TelegramFailure ? cause.migratedToChatId : null;

/** True if the person has blocked the bot. */
const hasEnded = (error: unknown): boolean => error instanceof DeliveryFailure && error.scope === 'ended';

/** Shows approvals and their outcomes as messages in Telegram. */
@Injectable()
export class TelegramChannel extends Channel implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();

  constructor(
    private readonly chat: OperatorChat,
    private readonly outbox: OutboxStore,
    private readonly cards: CardStore,
    private readonly moves: ChatMoves,
    private readonly destination: Destination,
    private readonly directLanes: DirectLaneStore,
    private readonly policy: ActivePolicy,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly finished: FinishedApprovals,
    private readonly summaries: TurnSummaries,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly tracing: Tracing,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    super();
  }

  private get consoleUrl(): string | null {
    return this.config.console?.url ?? null;
  }

  get reachable(): boolean {
    return this.chat.reachable;
  }

  onReachable(listener: () => void): void {
    this.chat.onReachable(listener);
  }

  check(): Promise<void> {
    return this.chat.check();
  }

  async catchUp(): Promise<Missed> {
    const cards = await this.cards.enqueueMissing(await this.destination.now());
    return { cards, outcomes: await this.cards.enqueueMissingOutcomes() };
  }

  beforeApplicationShutdown(): void {
    this.stop.abort();
  }

  async deliver(work: Work): Promise<boolean> {
    const { chatId } = parseLane(work.lane);
    // Health counts messages to operators, and another replica may have followed their chat.
    await this.destination.includes(chatId);
    if (await this.hasFollowed(chatId, null)) return false;
    try {
      return await this.tell(work);
    } catch (error) {
      const refused = error instanceof DeliveryFailure && error.scope === 'lane';
      if (refused && (await this.hasFollowed(chatId, newChatOf(error)))) return false;
      if (hasEnded(error)) await this.directLanes.end(work.lane);
      throw error;
    }
  }

  /** Moves the work of a chat that became another one. @returns true if it did. */
  private async hasFollowed(chatId: string, told: string | null): Promise<boolean> {
    const movedTo = told ?? (await this.moves.movedTo(chatId));
    if (movedTo === null) return false;
    await this.commands.execute(new MoveChatCommand(chatId, movedTo));
    return true;
  }

  private async tell(work: Work): Promise<boolean> {
    if ('data' in work) {
      if ('turnsOf' in work.data) return this.summaries.deliver(work, work.data.turnsOf);
      await this.tellChat(work, work.data);
      await this.outbox.finish(work);
      return true;
    }
    const { approval } = await this.finished.get(work.approvalId, 'everything');
    joinCorrelation(approval.correlationId);
    if (work.kind !== 'warning') await prepareCard(approval, MAX_MESSAGE_LENGTH);
    return this.tracing.resume(
      approval.traceparent,
      `escalation.${work.kind}`,
      { 'approval.id': approval.id },
      () => this.tellOf(approval, work),
    );
  }

  private async tellChat(work: LaneWork, data: Exclude<LaneWork['data'], TurnsOf>): Promise<void> {
    if ('unsent' in data) return this.say(work, renderDigest(data.unsent));
    if ('event' in data) return this.say(work, renderAnnouncement(data));
    const { fromMs, toMs } = data;
    const { pending } = await this.queries.execute(new SummarizePendingQuery());
    await this.say(work, renderGapNotice(new Date(fromMs), new Date(toMs), pending));
  }

  /** Sends a message without buttons; only the outbox counts its attempts. */
  private async say(
    { lane, slot, attempts, failedBefore: once }: Work,
    message: RichText,
    replyTo: string | null = null,
  ): Promise<void> {
    try {
      await this.chat.send(parseLane(lane), message, { slot, once, replyTo });
    } catch (error) {
      if (attempts < MAX_LOST_SENDS || !(error instanceof DeliveryFailure && error.scope === 'unknown'))
        throw error;
      throw new DeliveryFailure('message', 'sent again and no answer came', null, { cause: error });
    }
  }

  private remember<T>(store: () => Promise<T>): Promise<T> {
    return remember(store, this.stop.signal);
  }

  private tellOf(approval: Approval, work: ApprovalWork): Promise<boolean> {
    switch (work.kind) {
      case 'card':
        return this.showCard(approval, work);
      case 'outcome':
        return this.showOutcome(approval, work);
      case 'warning':
        return this.warn(approval, work);
    }
  }

  /** Makes one call to Telegram; the next step takes its own turn and its own room in the budget. */
  private async showCard(approval: Approval, work: ApprovalWork): Promise<boolean> {
    // Settled before the card was sent: there is nothing to ask.
    if (isSettled(approval)) {
      await this.outbox.finish(work);
      return false;
    }
    const planned = await this.cards.pieces(approval.id, parseLane(work.lane).chatId);
    if (planned.length > 0) return this.showInPieces(approval, work, planned);
    const earlier = await this.queries.execute(new FindEarlierRequestsQuery(approval, null));
    const mentioned = await this.mentionedBy(approval, work);
    const complete = renderCard(approval, MAX_MESSAGE_LENGTH, {
      earlier,
      consoleUrl: this.consoleUrl,
      mentioned,
    });
    const { files } = complete;
    const carried = digestOfFiles(files);
    const { card, lost } = await this.begin(approval, work, displayDigest(complete.text, carried));
    if (lost > 0) await this.checkBeforeResend(card, lost);
    const sent = countSent(card, files);
    const file = files[sent];
    if (!file) {
      await this.showComplete(approval, work, card, complete, carried);
      return true;
    }
    const failed = await this.upload(card, approval, files.slice(0, sent + 1), file === files.at(-1), work);
    if (failed === null) {
      await this.outbox.goOn(work);
      return true;
    }
    if (failed.scope === 'files') return this.goOnWithoutFiles(approval, work, card, failed);
    await this.showIncomplete(approval, work, card, incompleteNotice(approval));
    throw failed;
  }

  /** The people whom the card notifies in its lane: Telegram does so once, when it appears. */
  private async mentionedBy({ id }: Approval, { lane }: ApprovalWork): Promise<Mentioned[]> {
    const names = await this.queries.execute(new FindMentionedInQuery(id, lane));
    return names.map((name) => {
      const account = this.policy.people?.telegramOf(name) ?? null;
      return { name, account: account === null ? null : String(account) };
    });
  }

  private begin(
    approval: Approval,
    { lane }: ApprovalWork,
    digest: string,
    pieces: SentPieces | null = null,
  ): Promise<{ card: Card; lost: number }> {
    const nonce = newNonce();
    return this.remember(() => this.cards.begin(approval.id, parseLane(lane), nonce, digest, pieces));
  }

  /**
   * Sends the complete card with Approve and ends the work.
   *
   * @param carried digest of the files or the messages that hold what the card cannot
   */
  private async showComplete(
    approval: Approval,
    work: ApprovalWork,
    card: Card,
    complete: RichText,
    carried: string | null,
  ): Promise<void> {
    const grants = await this.queries.execute(new MayGrantQuery(approval));
    const buttons = buttonsFor(approval, card.nonce, { grants, consoleUrl: this.consoleUrl });
    const messageId = await this.put(card, complete, buttons, work, (text) =>
      this.cards.showsOtherwise(card, displayDigest(text, carried)),
    );
    const { warningSeconds } = this.config.approvals;
    await this.remember(() => this.cards.sent(card, messageId, work, warningSeconds));
    this.events.publish(
      new CardDelivered(approval.id, this.clock.now().getTime() - approval.createdAt.getTime()),
    );
    this.log.event(
      'info',
      'escalation.card-sent',
      { approvalId: approval.id, messageId },
      'the card is in the chat',
    );
  }

  /** Continues with text messages, if they are few enough, in a chat that accepts no files. */
  private async goOnWithoutFiles(
    approval: Approval,
    work: ApprovalWork,
    card: Card,
    refusal: DeliveryFailure,
  ): Promise<boolean> {
    const pieces = actionPieces(approval, MAX_MESSAGE_LENGTH);
    const fields = { approvalId: approval.id, chatId: card.chatId, error: refusal.message };
    if (pieces === null) {
      this.log.event('warn', 'escalation.files-refused', fields, 'the action can be rejected only');
      await this.showIncomplete(approval, work, card, withoutFilesNotice(approval));
      throw refusal;
    }
    this.log.event('info', 'escalation.files-refused', fields, 'the action is sent as text messages');
    await this.remember(() => this.cards.notSent(card));
    await this.plan(approval, work, pieces);
    await this.outbox.goOn(work);
    return false;
  }

  private plan(approval: Approval, { lane }: ApprovalWork, { messages }: ActionPieces): Promise<void> {
    const digests = messages.map(({ text }) => sha256Hex(text));
    return this.remember(() => this.cards.planPieces(approval.id, parseLane(lane).chatId, digests));
  }

  /** Sends the next piece of the action or, once all of them are in the chat, the card with Approve. */
  private async showInPieces(
    approval: Approval,
    work: ApprovalWork,
    planned: readonly CardPiece[],
  ): Promise<boolean> {
    const pieces = actionPieces(approval, MAX_MESSAGE_LENGTH);
    if (pieces === null) throw new Error(`the pieces of ${approval.id} were planned, and are too many`);
    const { messages, sha256 } = pieces;
    const asPlanned = messages.map(({ text }, i) => planned[i]?.sha256 === sha256Hex(text));
    if (planned.length !== messages.length || asPlanned.includes(false)) {
      // Another version planned these pieces and writes them differently.
      await this.plan(approval, work, pieces);
      await this.outbox.goOn(work);
      return false;
    }
    const next = planned.findIndex(({ messageId }) => messageId === null);
    const message = messages[next];
    const sent = { count: messages.length, sha256 };
    const complete = renderCard(approval, MAX_MESSAGE_LENGTH, {
      pieces: sent,
      consoleUrl: this.consoleUrl,
      mentioned: await this.mentionedBy(approval, work),
    });
    const digest = displayDigest(complete.text, sha256);
    if (message) {
      try {
        await this.sendPiece(approval, work, next + 1, message);
      } catch (error) {
        if (error instanceof DeliveryFailure && error.scope === 'message') {
          const { card } = await this.begin(approval, work, digest);
          await this.showIncomplete(approval, work, card, incompleteNotice(approval));
        }
        throw error;
      }
      await this.outbox.goOn(work);
      return true;
    }
    const { card, lost } = await this.begin(approval, work, digest, sent);
    if (lost > 0) await this.checkBeforeResend(card, lost);
    await this.showComplete(approval, work, card, complete, sha256);
    return true;
  }

  /** Sends a piece. It does not count if the chat holds another text: operators approve the text in the chat. */
  private async sendPiece(
    approval: Approval,
    { lane, slot, failedBefore: once }: ApprovalWork,
    number: number,
    message: RichText,
  ): Promise<void> {
    const to = parseLane(lane);
    const { chatId } = to;
    const lost = await this.remember(() => this.cards.beginPiece(approval.id, chatId, number));
    const notSent = () => this.remember(() => this.cards.pieceNotSent(approval.id, chatId, number));
    if (lost >= MAX_LOST_SENDS) {
      await notSent();
      throw new DeliveryFailure(
        'message',
        `message ${number} of the action was sent twice and no answer came`,
      );
    }
    try {
      if (lost > 0) await this.chat.check();
      const { messageId, text } = await this.chat.send(to, message, { slot, once });
      if (text !== message.text)
        throw new DeliveryFailure('message', `message ${number} of the action reads otherwise in the chat`);
      await this.remember(() => this.cards.pieceSent(approval.id, chatId, number, messageId));
    } catch (error) {
      if (!(error instanceof DeliveryFailure && error.scope === 'unknown')) await notSent();
      throw error;
    }
  }

  /** Shows the incomplete card, which operators can only reject. */
  private async showIncomplete(
    approval: Approval,
    work: ApprovalWork,
    card: Card,
    notice: string,
  ): Promise<void> {
    const mentioned = await this.mentionedBy(approval, work);
    const shown = renderCard(approval, MAX_MESSAGE_LENGTH, { notices: [notice], mentioned });
    await this.remember(() => this.cards.incomplete(card, displayDigest(shown.text)));
    const buttons = buttonsFor(approval, card.nonce, { complete: false, consoleUrl: this.consoleUrl });
    const messageId = await this.put(card, shown, buttons, { ...work, slot: null }, (text) =>
      this.cards.incomplete(card, displayDigest(text)),
    );
    await this.remember(() => this.cards.shown(card, messageId));
  }

  /** Checks that Telegram answers before the single retry, which would otherwise be lost like the first send. */
  private async checkBeforeResend(card: Card, lost: number): Promise<void> {
    try {
      if (lost >= MAX_LOST_SENDS)
        throw new DeliveryFailure('message', 'the card was sent twice and no answer came');
      await this.chat.check();
    } catch (error) {
      await this.remember(() => this.cards.notSent(card));
      throw error;
    }
  }

  /**
   * Uploads a file before the card: Approve must not appear before operators can see everything.
   *
   * @param files this file, after those that are in the chat
   * @returns the reason why the file is not in the chat; null if it is.
   */
  private async upload(
    card: Card,
    approval: Approval,
    files: readonly ActionFile[],
    isLast: boolean,
    { slot, failedBefore: once }: ApprovalWork,
  ): Promise<DeliveryFailure | null> {
    try {
      const file = files.at(-1) as ActionFile;
      const caption = renderFileCaption(approval, file);
      const messageId = await this.chat.sendFile(card, file, caption, { slot, once });
      const digest = digestOfFiles(files) as string;
      await this.remember(() => this.cards.attached(card, isLast ? messageId : null, digest));
      return null;
    } catch (error) {
      if (!(error instanceof DeliveryFailure)) throw error;
      if (error.scope !== 'unknown') return error;
      const lost = await this.remember(() => this.cards.documentLost(card));
      if (lost < MAX_LOST_SENDS) return error;
      return new DeliveryFailure('message', 'the document was sent twice and no answer came');
    }
  }

  /** Sends the card, or edits the existing one. @returns its message id. */
  private async put(
    card: Card,
    shown: RichText,
    buttons: readonly Button[],
    { slot, failedBefore: once }: Pick<ApprovalWork, 'failedBefore'> & { readonly slot: string | null },
    showsOtherwise: (text: string) => Promise<void>,
  ): Promise<string> {
    const beforePlain = () => this.remember(() => showsOtherwise(shown.plain));
    if (card.messageId !== null) {
      await this.chat.edit(card.chatId, card.messageId, shown, { buttons, slot, once, beforePlain });
      return card.messageId;
    }
    try {
      return (await this.chat.send(card, shown, { buttons, slot, once, beforePlain })).messageId;
    } catch (error) {
      const unknown = error instanceof DeliveryFailure && error.scope === 'unknown';
      if (!unknown) await this.remember(() => this.cards.notSent(card));
      throw error;
    }
  }

  /** Shows the ending on every card; before it, on its buttons, the decisions so far and who is on it. */
  private async showOutcome(approval: Approval, work: ApprovalWork): Promise<boolean> {
    let took = false;
    let slot: string | null = work.slot;
    let failed: { card: Card; error: DeliveryFailure } | null = null;
    for (const card of await this.cards.delivered(approval.id)) {
      const options = { slot, once: work.failedBefore };
      try {
        if (isSettled(approval)) await this.close(card, approval, options);
        else await this.showProgress(card, approval, options);
        took ||= card.chatId === parseLane(work.lane).chatId;
      } catch (error) {
        // A copy in an unreachable chat must not block the update of the others.
        if (!(error instanceof DeliveryFailure) || !this.chat.reachable) throw error;
        if (!hasEnded(error)) failed ??= { card, error };
        else if (isSettled(approval)) await this.cards.closed(card);
      }
      slot = null;
    }
    if (failed) {
      await this.retryIn(failed.card, work, failed.error);
      return took;
    }
    await this.outbox.finish(work);
    return took;
  }

  private async close(
    card: Card & { readonly messageId: string },
    approval: SettledApproval,
    options: { readonly slot: string | null; readonly once: boolean },
  ): Promise<void> {
    const outcome = renderOutcome(approval, MAX_MESSAGE_LENGTH, card.pieces);
    await this.chat.edit(card.chatId, card.messageId, outcome, options);
    for (const offers of card.offerMessageIds)
      await this.chat.edit(card.chatId, offers, renderOffersEnded(), { ...options, slot: null });
    await this.cards.closed(card);
  }

  /** Edits the buttons. If the request has settled meanwhile, the outcome may be below them: it is shown again. */
  private async showProgress(
    card: Card & { readonly messageId: string },
    approval: Approval,
    options: { readonly slot: string | null; readonly once: boolean },
  ): Promise<void> {
    const grants = await this.queries.execute(new MayGrantQuery(approval));
    const buttons = buttonsFor(approval, card.nonce, {
      complete: isComplete(card),
      grants,
      consoleUrl: this.consoleUrl,
    });
    await this.chat.editButtons(card.chatId, card.messageId, buttons, options);
    const { approval: latest } = await this.finished.get(approval.id, 'everything');
    if (!isSettled(latest)) return;
    await prepareCard(latest, MAX_MESSAGE_LENGTH);
    await this.close(card, latest, { ...options, slot: null });
  }

  /** Moves work that failed in another chat to that chat's lane, so that it does not block its own lane. */
  private async retryIn(card: Card, work: Work, error: DeliveryFailure): Promise<void> {
    if (error.scope === 'message' || card.chatId === parseLane(work.lane).chatId) throw error;
    const lane = formatLane(card);
    await this.outbox.pauseLane(lane, null);
    await this.outbox.moveWork(work, lane);
  }

  private async warn(approval: Approval, work: ApprovalWork): Promise<boolean> {
    const { chatId } = parseLane(work.lane);
    const card = (await this.cards.delivered(approval.id)).find((each) => each.chatId === chatId);
    // Operators need no warning about a question that only the terminal can answer.
    const asked = !isSettled(approval) && card !== undefined && possibleVerdicts(approval).length > 0;
    if (asked) {
      const warning = renderWarning(approval, this.clock.now());
      await this.say(work, warning, card.messageId);
    }
    // After a snooze the warning is still to come. Its time is the database's, like that of this reminder.
    const { approval: latest, now } = await this.finished.get(approval.id, 'everything');
    const { warningSeconds } = this.config.approvals;
    const waitMs = latest.expiresAt.getTime() - warningSeconds * 1000 - now.getTime();
    if (asked && warningSeconds > 0 && waitMs > MIN_REMINDERS_APART_MS) await this.outbox.goOn(work, waitMs);
    else await this.outbox.finish(work);
    return asked;
  }
}
