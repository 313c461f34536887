import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Approval } from '../../approvals/approval';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { MayDecideTogetherQuery } from '../../approvals/queries/may-decide-together';
import { MIN_CALLS_OF_TURN, planTurns, turnDigest } from '../../approvals/turns';
import { prepareCard } from '../../cards/card-body';
import type { RichText } from '../../cards/rich-text';
import { renderTurn } from '../../cards/turn-text';
import { sha256Hex } from '../../kernel/canonical-json';
import { Log } from '../../logging/log';
import { OutboxStore, type LaneWork } from '../../outbox/outbox-store';
import { DeliveryFailure } from '../channel';
import { turnButtons } from './card-buttons';
import { MAX_MESSAGE_LENGTH } from './dialect';
import { parseLane, type ChatLane } from './lane';
import { newNonce } from './operators/callback-data';
import { OperatorChat, type Button } from './operator-chat';
import { remember } from './remember';
import { TurnStore, type CallOfTurn, type CardOfWaiting, type Turn } from './turn-store';

/** Wait for cards of a turn that are due and not sent yet. */
const CARDS_WAIT_MS = 500;

/** Wait for another send of the same summary. */
const BUSY_WAIT_MS = 1_000;

/** A send whose answer was lost is retried once: the cards decide without it. */
const MAX_SENDS = 2;

interface Version {
  readonly text: RichText;
  readonly buttons: readonly Button[];
  /** The cards about which the buttons decide. */
  readonly cardIds: readonly string[];
  /** Digest of all of this. */
  readonly digest: string;
}

/** Makes the turns of a session, and shows each by one message after its cards. */
@Injectable()
export class TurnSummaries implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();

  constructor(
    private readonly turns: TurnStore,
    private readonly chat: OperatorChat,
    private readonly outbox: OutboxStore,
    private readonly finished: FinishedApprovals,
    private readonly queries: QueryBus,
    private readonly log: Log,
  ) {}

  beforeApplicationShutdown(): void {
    this.stop.abort();
  }

  /**
   * Makes turns of the requests around this one, or sends or edits the summary of the turn that begins with it.
   *
   * @returns true if the lane accepted a message
   */
  async deliver(work: LaneWork, approvalId: string): Promise<boolean> {
    const lane = parseLane(work.lane);
    const turn = await this.turns.open(approvalId, lane.chatId);
    const shown = turn === null ? 'nothing-new' : await this.show(turn, work);
    if (shown === 'busy') await this.outbox.goOn(work, BUSY_WAIT_MS);
    else if (await this.plan(approvalId, lane)) await this.outbox.goOn(work, CARDS_WAIT_MS);
    else await this.outbox.finish(work);
    return shown === 'sent';
  }

  /** @returns true if cards of a turn are still to be sent */
  private async plan(approvalId: string, lane: ChatLane): Promise<boolean> {
    const { turns, isWaiting } = planTurns(await this.turns.waiting(approvalId, lane));
    for (const cards of turns) {
      const together = await this.ofOneTap(cards);
      const [first] = together;
      if (first === undefined || together.length < MIN_CALLS_OF_TURN) continue;
      const cardIds = together.flatMap(({ cardId }) => cardId ?? []);
      await this.turns.make(cardIds, first.id, lane, newNonce());
    }
    return isWaiting;
  }

  /** The calls whose class needs no more than one tap; the others keep only their own cards. */
  private async ofOneTap(cards: readonly CardOfWaiting[]): Promise<CardOfWaiting[]> {
    const judged = await Promise.all(
      cards.map(async (card) => {
        const { approval } = await this.finished.get(card.id, 'everything');
        return (await this.queries.execute(new MayDecideTogetherQuery(approval))) ? [card] : [];
      }),
    );
    return judged.flat();
  }

  private async show(turn: Turn, work: LaneWork): Promise<'sent' | 'nothing-new' | 'busy'> {
    const calls = await this.turns.calls(turn.id);
    const approvals = await this.read(calls);
    const pending = calls.filter(({ approvalId }) => approvals.get(approvalId)?.status === 'pending');
    const isOver = turn.messageId === null && (pending.length < MIN_CALLS_OF_TURN || turn.sends >= MAX_SENDS);
    const version = isOver ? null : this.versionOf(turn, calls, pending, approvals);
    if (version === null || version.digest === turn.shown) {
      if (isOver || pending.length === 0) await this.turns.close(turn.id);
      return 'nothing-new';
    }
    if (!(await this.remember(() => this.turns.begin(turn.id, version.cardIds)))) return 'busy';
    const messageId = await this.put(turn, version, work);
    await this.remember(() => this.turns.shows(turn.id, messageId, version.digest, pending.length === 0));
    if (turn.messageId === null) {
      const fields = { calls: version.cardIds.length, messageId };
      this.log.event('info', 'escalation.turn-shown', fields, 'the summary of a turn is in the chat');
    }
    return 'sent';
  }

  private async read(calls: readonly CallOfTurn[]): Promise<ReadonlyMap<string, Approval>> {
    const approvals = new Map<string, Approval>();
    for (const { approvalId } of calls) {
      const { approval } = await this.finished.get(approvalId, 'everything');
      await prepareCard(approval, MAX_MESSAGE_LENGTH);
      approvals.set(approvalId, approval);
    }
    return approvals;
  }

  private versionOf(
    { nonce }: Turn,
    calls: readonly CallOfTurn[],
    pending: readonly CallOfTurn[],
    approvals: ReadonlyMap<string, Approval>,
  ): Version {
    const text = renderTurn(
      calls.flatMap(({ approvalId, ...call }) => {
        const approval = approvals.get(approvalId);
        return approval ? [{ ...call, approval }] : [];
      }),
      MAX_MESSAGE_LENGTH,
    );
    const decidable = pending.length < MIN_CALLS_OF_TURN ? [] : pending;
    const shown = decidable.map(({ approvalId: id, displayDigest }) => ({ id, displayDigest }));
    const buttons = shown.length === 0 ? [] : turnButtons(nonce, turnDigest(shown), shown.length);
    return {
      text,
      buttons,
      cardIds: decidable.map(({ cardId }) => cardId),
      digest: sha256Hex(
        [text.text, ...buttons.flatMap((button) => ('data' in button ? button.data : []))].join('\n'),
      ),
    };
  }

  /** @returns the message id */
  private async put(
    turn: Turn,
    { text, buttons }: Version,
    { slot, failedBefore: once }: LaneWork,
  ): Promise<string> {
    const options = { buttons, slot, once };
    try {
      if (turn.messageId === null) return (await this.chat.send(turn, text, options)).messageId;
      await this.chat.edit(turn.chatId, turn.messageId, text, options);
      return turn.messageId;
    } catch (error) {
      const isUnknown = error instanceof DeliveryFailure && error.scope === 'unknown';
      await this.remember(() => this.turns.failed(turn.id, !isUnknown));
      throw error;
    }
  }

  private remember<T>(store: () => Promise<T>): Promise<T> {
    return remember(store, this.stop.signal);
  }
}
