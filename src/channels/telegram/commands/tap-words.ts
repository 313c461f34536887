import { Command, CommandBus, CommandHandler, QueryBus, type ICommandHandler } from '@nestjs/cqrs';
import type { Verdict } from '../../../approvals/approval';
import { DecideApprovalCommand } from '../../../approvals/commands/decide-approval';
import { GetApprovalQuery } from '../../../approvals/queries/get-approval';
import { answersIn, questionsOf, type Answers } from '../../../kernel/questions';
import type { Person } from '../../../kernel/actor';
import { CardReplyStore } from '../card-reply-store';
import { CardStore } from '../card-store';
import { PRESET_REASONS, type WordsTap } from '../operators/callback-data';
import { findComplete, refusalOf, resultOf, type DecisionResult, type TapRefusal } from './tap-card';

/** Result of a tap on a button that decides with words. */
export type WordsResult =
  /** `nonce` and `cardMessageId`: of the card that the reasons reject. */
  | { readonly kind: 'reasons-offered'; readonly nonce: string; readonly cardMessageId: string }
  | DecisionResult
  /** Another person wrote the words. */
  | { readonly kind: 'words-of-another' }
  | TapRefusal;

/** An authorised operator tapped a button that decides with words, which its own message shows. */
export class TapWordsCommand extends Command<WordsResult> {
  constructor(
    readonly tap: WordsTap,
    readonly chatId: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(TapWordsCommand)
export class TapWordsHandler implements ICommandHandler<TapWordsCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly replies: CardReplyStore,
    private readonly queries: QueryBus,
    private readonly commands: CommandBus,
  ) {}

  async execute({ tap, chatId, by }: TapWordsCommand): Promise<WordsResult> {
    if (tap.kind === 'reply') return this.sendReply(tap, chatId, by);
    const card = await findComplete(this.cards, tap.nonce, chatId);
    if (!card) return { kind: 'unknown-button' };
    if (tap.kind === 'reasons')
      return { kind: 'reasons-offered', nonce: card.nonce, cardMessageId: card.messageId };
    return this.decide(card, by, 'rejected', PRESET_REASONS[tap.reason]);
  }

  private async sendReply(
    { nonce, verdict }: Extract<WordsTap, { kind: 'reply' }>,
    chatId: string,
    by: Person,
  ): Promise<WordsResult> {
    const reply = await this.replies.find(nonce);
    const card = reply && (await findComplete(this.cards, reply.cardNonce, chatId));
    if (!card) return { kind: 'unknown-button' };
    if (reply.userId !== by.id) return { kind: 'words-of-another' };
    const { approval } = await this.queries.execute(new GetApprovalQuery(card.approvalId, 'everything'));
    const questions = questionsOf(approval);
    if (!questions || verdict === 'rejected') return this.decide(card, by, verdict, reply.words);
    const answers = answersIn(reply.words, questions);
    return answers ? this.decide(card, by, verdict, null, answers) : { kind: 'unknown-button' };
  }

  private async decide(
    { approvalId, displayDigest }: { readonly approvalId: string; readonly displayDigest: string | null },
    by: Person,
    verdict: Verdict,
    reason: string | null,
    answers: Answers | null = null,
  ): Promise<WordsResult> {
    try {
      const command = new DecideApprovalCommand(approvalId, by, verdict, reason, displayDigest, answers);
      return resultOf(await this.commands.execute(command));
    } catch (error) {
      return refusalOf(error);
    }
  }
}
