import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { EventBus, QueryBus } from '@nestjs/cqrs';
import { isSettled, possibleVerdicts, type Approval } from '../approvals/approval';
import { GetApprovalQuery } from '../approvals/queries/get-approval';
import { CONFIG, type Config } from '../config/environment';
import { isUnavailable } from '../database/database';
import { Clock } from '../kernel/clock';
import { joinCorrelation } from '../logging/correlation';
import { Log } from '../logging/log';
import { Tracing } from '../tracing/tracing';
import type { ActionDocument } from './action-document';
import { callbackData, newNonce } from './callback-data';
import { prepareCard } from './card-body';
import { CardStore, type Card } from './card-store';
import { renderCard, renderDocumentCaption, renderOutcome } from './card-text';
import { displayDigest } from './display-digest';
import { CardDelivered } from './escalation-events';
import { ChatFailure, OperatorChat, type Button, type MessageText } from './operator-chat';
import { renderDigest, renderGapNotice, renderWarning } from './operator-text';
import { OutboxStore, type ApprovalWork, type ChatWork, type Work } from './outbox-store';

/** A send whose answer was lost is repeated once; a second loss must not flood the chat (telegram.md 6). */
const MAX_LOST_SENDS = 2;
/** How soon what only this process knows is tried to be written down again. */
const REMEMBER_AGAIN_MS = 500;

function incompleteNotice(approval: Approval): string {
  const approvable = possibleVerdicts(approval).includes('approved');
  return `The complete action could not be attached yet.${approvable ? ' Approve appears once it is.' : ''}`;
}

const approve = (nonce: string): Button => ({
  text: '✅ Approve',
  data: callbackData({ verdict: 'approved', nonce, complete: true }),
  style: 'success',
});

const reject = (nonce: string, complete = true): Button => ({
  text: '❌ Reject',
  data: callbackData({ verdict: 'rejected', nonce, complete }),
  style: 'danger',
});

/** Only decisions that can be given are offered; without the complete action, no approval. */
function buttonsFor(approval: Approval, nonce: string, complete = true): Button[] {
  const possible = possibleVerdicts(approval);
  return [
    ...(complete && possible.includes('approved') ? [approve(nonce)] : []),
    ...(possible.includes('rejected') ? [reject(nonce, complete)] : []),
  ];
}

/** Says to the operators what must be said. Rejects with ChatFailure; the outbox tries again. */
@Injectable()
export class Escalation implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();

  constructor(
    private readonly chat: OperatorChat,
    private readonly outbox: OutboxStore,
    private readonly cards: CardStore,
    private readonly queries: QueryBus,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly tracing: Tracing,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  beforeApplicationShutdown(): void {
    this.stop.abort();
  }

  /** Does the work and ends it. */
  async perform(work: Work): Promise<void> {
    if ('data' in work) {
      await this.tellChat(work);
      return this.outbox.finish(work);
    }
    const { approval } = await this.queries.execute(new GetApprovalQuery(work.approvalId, 'everything'));
    joinCorrelation(approval.correlationId);
    if (work.kind !== 'warning') await prepareCard(approval);
    return this.tracing.resume(
      approval.traceparent,
      `escalation.${work.kind}`,
      { 'approval.id': approval.id },
      () => this.tellOf(approval, work),
    );
  }

  private async tellChat(work: ChatWork): Promise<void> {
    if (work.kind === 'digest') return this.say(work, renderDigest(work.data.unsent));
    const { fromMs, toMs } = work.data;
    const { pending } = await this.outbox.overview();
    await this.say(work, renderGapNotice(new Date(fromMs), new Date(toMs), pending));
  }

  /** Sends what has no buttons: of these, only the outbox knows how often they were tried. */
  private async say(
    { chatId, slot, attempts }: Work,
    message: MessageText,
    replyTo: string | null = null,
  ): Promise<void> {
    try {
      await this.chat.send(chatId, message, { slot, replyTo });
    } catch (error) {
      if (attempts < MAX_LOST_SENDS || !(error instanceof ChatFailure && error.scope === 'unknown'))
        throw error;
      throw new ChatFailure('message', 'sent again and no answer came', {}, { cause: error });
    }
  }

  /** As long as the database is away, what was done must not be forgotten: it would be done twice. */
  private async remember<T>(store: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await store();
      } catch (error) {
        if (!isUnavailable(error) || this.stop.signal.aborted) throw error;
        await sleep(REMEMBER_AGAIN_MS, undefined, { signal: this.stop.signal }).catch(() => undefined);
      }
    }
  }

  private tellOf(approval: Approval, work: ApprovalWork): Promise<void> {
    switch (work.kind) {
      case 'card':
        return this.showCard(approval, work);
      case 'outcome':
        return this.showOutcome(approval, work);
      case 'warning':
        return this.warn(approval, work);
    }
  }

  private async showCard(approval: Approval, work: ApprovalWork): Promise<void> {
    // Settled before anybody saw it: there is nothing left to ask.
    if (isSettled(approval)) return this.outbox.finish(work);
    const complete = renderCard(approval);
    const { document } = complete;
    const digest = displayDigest(complete.text, document?.sha256);
    const nonce = newNonce();
    const { card, lost } = await this.remember(() =>
      this.cards.begin(approval.id, work.chatId, nonce, digest),
    );
    if (lost > 0) await this.checkBeforeResend(card, lost);
    const missing = card.document?.sha256 === document?.sha256 ? null : document;
    const upload = missing && (await this.upload(card, approval, missing, work.slot));
    if (upload?.failed) {
      await this.showIncomplete(approval, card);
      throw upload.failed;
    }
    const messageId = await this.put(
      card,
      complete,
      buttonsFor(approval, card.nonce),
      upload ? null : work.slot,
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

  /** What there is, to be rejected or waited for. */
  private async showIncomplete(approval: Approval, card: Card): Promise<void> {
    const shown = renderCard(approval, { notices: [incompleteNotice(approval)] });
    await this.remember(() => this.cards.incomplete(card, displayDigest(shown.text)));
    const messageId = await this.put(card, shown, buttonsFor(approval, card.nonce, false), null);
    await this.remember(() => this.cards.shown(card, messageId));
  }

  /** While Telegram does not answer, the one repetition would be lost like the send before it. */
  private async checkBeforeResend(card: Card, lost: number): Promise<void> {
    try {
      if (lost >= MAX_LOST_SENDS)
        throw new ChatFailure('message', 'the card was sent twice and no answer came');
      await this.chat.check();
    } catch (error) {
      await this.remember(() => this.cards.notSent(card));
      throw error;
    }
  }

  /** The whole action first: Approve must not appear before everything it approves can be read. */
  private async upload(
    card: Card,
    approval: Approval,
    document: ActionDocument,
    slot: string,
  ): Promise<{ failed: ChatFailure | null }> {
    try {
      const caption = renderDocumentCaption(approval, document);
      const messageId = await this.chat.sendDocument(card.chatId, document, caption, { slot });
      await this.remember(() => this.cards.attached(card, { messageId, sha256: document.sha256 }));
      return { failed: null };
    } catch (error) {
      if (!(error instanceof ChatFailure)) throw error;
      if (error.scope !== 'unknown') return { failed: error };
      const lost = await this.remember(() => this.cards.documentLost(card));
      if (lost < MAX_LOST_SENDS) return { failed: error };
      return { failed: new ChatFailure('message', 'the document was sent twice and no answer came') };
    }
  }

  /** Sends the card, or brings the one that stands up to date. @returns its message id. */
  private async put(
    card: Card,
    shown: MessageText,
    buttons: readonly Button[],
    slot: string | null,
  ): Promise<string> {
    if (card.messageId !== null) {
      await this.chat.edit(card.chatId, card.messageId, shown, { buttons, slot });
      return card.messageId;
    }
    try {
      return await this.chat.send(card.chatId, shown, { buttons, slot });
    } catch (error) {
      const unknown = error instanceof ChatFailure && error.scope === 'unknown';
      if (!unknown) await this.remember(() => this.cards.notSent(card));
      throw error;
    }
  }

  private async showOutcome(approval: Approval, work: ApprovalWork): Promise<void> {
    if (isSettled(approval)) {
      const message = renderOutcome(approval);
      let slot: string | null = work.slot;
      let failed: { chatId: string; error: ChatFailure } | null = null;
      for (const card of await this.cards.delivered(approval.id)) {
        try {
          await this.chat.edit(card.chatId, card.messageId, message, { slot });
          await this.cards.closed(card);
        } catch (error) {
          // A copy in a dead chat must not keep the others from becoming true.
          if (!(error instanceof ChatFailure) || error.scope === 'connection') throw error;
          failed ??= { chatId: card.chatId, error };
        }
        slot = null;
      }
      if (failed) return this.triedAgainIn(failed.chatId, work, failed.error);
    }
    await this.outbox.finish(work);
  }

  /** What could not be said in another chat than the work's own waits in the lane of that, and holds up no other. */
  private async triedAgainIn(chatId: string, work: Work, error: ChatFailure): Promise<void> {
    if (error.scope === 'message' || chatId === work.chatId) throw error;
    await this.outbox.pauseLane(chatId, error.told.retryAfterMs ?? null);
    await this.outbox.moveWork(work, chatId);
  }

  private async warn(approval: Approval, work: ApprovalWork): Promise<void> {
    const [card] = await this.cards.delivered(approval.id);
    // A question that only the terminal can answer needs no hurry here.
    if (!isSettled(approval) && card && possibleVerdicts(approval).length > 0) {
      const warning = renderWarning(approval, this.clock.now());
      await this.say(work, warning, card.messageId);
    }
    await this.outbox.finish(work);
  }
}
