import { Inject, Injectable } from '@nestjs/common';
import { isSettled, type Approval } from '../approvals/approval';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';
import { callbackData, newNonce } from './callback-data';
import type { ActionDocument } from './action-document';
import { CardStore, type Card } from './card-store';
import { renderCard, renderDocumentCaption, renderOutcome } from './card-text';
import { renderWarning } from './operator-text';
import { displayDigest } from './display-digest';
import { ChatFailure, OperatorChat, type Button, type MessageText } from './operator-chat';
import { OutboxStore, type Work } from './outbox-store';

const approve = (nonce: string): Button => ({
  text: '✅ Approve',
  data: callbackData({ verdict: 'approved', nonce }),
  style: 'success',
});

const reject = (nonce: string): Button => ({
  text: '❌ Reject',
  data: callbackData({ verdict: 'rejected', nonce }),
  style: 'danger',
});

/** A send whose answer was lost is repeated once; a second loss must not flood the chat (telegram.md 6). */
const MAX_LOST_SENDS = 2;

const INCOMPLETE_NOTICE = 'The complete action could not be attached yet. Approve appears once it is.';

/** Says to the operators what must be said about one approval. Rejects with ChatFailure; the outbox tries again. */
@Injectable()
export class Escalation {
  constructor(
    private readonly chat: OperatorChat,
    private readonly outbox: OutboxStore,
    private readonly cards: CardStore,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  perform(work: Work, approval: Approval): Promise<void> {
    switch (work.kind) {
      case 'card':
        return this.showCard(work, approval);
      case 'outcome':
        return this.showOutcome(work, approval);
      case 'warning':
        return this.warn(work, approval);
    }
  }

  private async showCard(work: Work, approval: Approval): Promise<void> {
    // Settled before anybody saw it: there is nothing left to ask.
    if (isSettled(approval)) return this.outbox.finish(work);
    const { card, lost } = await this.cards.begin(approval.id, work.chatId, newNonce());
    if (lost >= MAX_LOST_SENDS) throw new ChatFailure('never', 'the card was sent twice and no answer came');
    const { document } = renderCard(approval);
    const upload = document && !card.document ? await this.upload(card, approval, document) : null;
    const shown = renderCard(approval, upload?.failed ? { notices: [INCOMPLETE_NOTICE] } : {});
    const buttons = upload?.failed ? [reject(card.nonce)] : [approve(card.nonce), reject(card.nonce)];
    const messageId = await this.put(card, shown, buttons);
    const digest = displayDigest(shown.text, document?.sha256);
    if (upload?.failed) {
      await this.cards.shown(card, messageId, digest);
      throw upload.failed;
    }
    await this.cards.sent(card, messageId, digest, work, this.config.approvals.warningSeconds);
    this.log.event(
      'info',
      'escalation.card-sent',
      { approvalId: approval.id, messageId },
      'the card is in the chat',
    );
  }

  /** The whole action first: Approve must not appear before everything it approves can be read. */
  private async upload(
    card: Card,
    approval: Approval,
    document: ActionDocument,
  ): Promise<{ failed: ChatFailure | null }> {
    try {
      const caption = renderDocumentCaption(approval, document);
      const messageId = await this.chat.sendDocument(card.chatId, document, caption);
      await this.cards.attached(card, { messageId, sha256: document.sha256 });
      return { failed: null };
    } catch (error) {
      if (error instanceof ChatFailure) return { failed: error };
      throw error;
    }
  }

  /** Sends the card, or brings the one that stands up to date. @returns its message id. */
  private async put(card: Card, shown: MessageText, buttons: readonly Button[]): Promise<string> {
    if (card.messageId !== null) {
      await this.chat.edit(card.chatId, card.messageId, shown, buttons);
      return card.messageId;
    }
    try {
      return await this.chat.send(card.chatId, shown, { buttons });
    } catch (error) {
      if (error instanceof ChatFailure && !error.details.outcomeUnknown) await this.cards.notSent(card);
      throw error;
    }
  }

  private async showOutcome(work: Work, approval: Approval): Promise<void> {
    if (isSettled(approval)) {
      const message = renderOutcome(approval);
      for (const { chatId, messageId } of await this.cards.delivered(approval.id)) {
        await this.chat.edit(chatId, messageId, message);
      }
    }
    await this.outbox.finish(work);
  }

  private async warn(work: Work, approval: Approval): Promise<void> {
    const [card] = await this.cards.delivered(approval.id);
    if (!isSettled(approval) && card) {
      await this.chat.send(card.chatId, renderWarning(approval, this.clock.now()), {
        replyTo: card.messageId,
      });
    }
    await this.outbox.finish(work);
  }
}
