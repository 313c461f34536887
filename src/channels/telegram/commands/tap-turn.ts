import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Verdict } from '../../../approvals/approval';
import { DecideTurnCommand } from '../../../approvals/commands/decide-turn';
import { turnDigest } from '../../../approvals/turns';
import type { Person } from '../../../kernel/actor';
import { RateLimited } from '../../../kernel/errors';
import { shortDigest, type TurnTap } from '../operators/callback-data';
import { TurnStore, type Turn } from '../turn-store';

/** Result of a tap on the summary of a turn. */
export type TurnResult =
  /** `approvalIds`: of those that have this verdict of this person; `others`: the number of those that do not. */
  | {
      readonly kind: 'turn-decided';
      readonly verdict: Verdict;
      readonly approvalIds: readonly string[];
      readonly others: number;
    }
  /** The message shows other calls by now: nothing was decided. */
  | { readonly kind: 'turn-outdated' }
  /** All of them had ended. */
  | { readonly kind: 'turn-over' }
  /** The policy lets other people decide them. */
  | { readonly kind: 'not-eligible' }
  | { readonly kind: 'too-many'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unknown-button' };

/** An authorised operator tapped a button of the summary of a turn. */
export class TapTurnCommand extends Command<TurnResult> {
  constructor(
    readonly tap: TurnTap,
    readonly chatId: string,
    readonly messageId: string,
    /** True if the message has this button now, as Telegram says. */
    readonly isOffered: boolean,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(TapTurnCommand)
export class TapTurnHandler implements ICommandHandler<TapTurnCommand> {
  constructor(
    private readonly turns: TurnStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ tap, chatId, messageId, isOffered, by }: TapTurnCommand): Promise<TurnResult> {
    const turn = await this.turns.findByNonce(tap.nonce);
    if (turn?.chatId !== chatId) return { kind: 'unknown-button' };
    if (turn.messageId !== messageId) {
      // Only a copy of the message has its buttons; other data was made by a client.
      if (!isOffered) return { kind: 'unknown-button' };
      await this.turns.adopt(turn.id, messageId);
    }
    const result = await this.answer(turn, tap, by);
    // The message shows what has happened, also where an edit was missed.
    await this.turns.requeue(turn.id);
    return result;
  }

  private async answer({ id }: Turn, tap: TurnTap, by: Person): Promise<TurnResult> {
    const calls = (await this.turns.calls(id))
      .filter(({ inTurn }) => inTurn)
      .map(({ approvalId, displayDigest }) => ({ id: approvalId, displayDigest }));
    if (calls.length === 0) return { kind: 'turn-over' };
    if (shortDigest(turnDigest(calls)) !== tap.calls) return { kind: 'turn-outdated' };
    return this.decide(calls, tap.verdict, by);
  }

  private async decide(calls: DecideTurnCommand['calls'], verdict: Verdict, by: Person): Promise<TurnResult> {
    try {
      const { decided, refused, isBarred } = await this.commands.execute(
        new DecideTurnCommand(calls, by, verdict),
      );
      if (decided.length === 0) return { kind: isBarred ? 'not-eligible' : 'turn-over' };
      const approvalIds = decided.map(({ id }) => id);
      return { kind: 'turn-decided', verdict, approvalIds, others: refused.length };
    } catch (error) {
      if (error instanceof RateLimited)
        return { kind: 'too-many', retryAfterSeconds: error.retryAfterSeconds };
      throw error;
    }
  }
}
