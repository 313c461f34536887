import { Command, CommandBus, CommandHandler, QueryBus, type ICommandHandler } from '@nestjs/cqrs';
import { isSettled } from '../../../approvals/approval';
import { DecideApprovalCommand } from '../../../approvals/commands/decide-approval';
import { GetApprovalQuery } from '../../../approvals/queries/get-approval';
import type { Person } from '../../../kernel/actor';
import { questionsOf, type Answers, type AskedQuestion } from '../../../kernel/questions';
import { CardStore } from '../card-store';
import type { AnswerTap } from '../operators/answer-data';
import { findComplete, refusalOf, resultOf, type DecisionResult, type TapRefusal } from './tap-card';

/** Result of a tap on a button that answers. */
export type AnswerResult =
  /** `nonce` and `cardMessageId`: of the card with the questions. `isNew`: the sheet is not in the chat yet. */
  | {
      readonly kind: 'answers-offered';
      readonly questions: readonly AskedQuestion[];
      readonly chosen: readonly number[];
      readonly nonce: string;
      readonly cardMessageId: string;
      readonly isNew: boolean;
    }
  | DecisionResult
  | TapRefusal;

/** An authorised operator tapped a button that answers, which its own message shows. */
export class TapAnswerCommand extends Command<AnswerResult> {
  constructor(
    readonly tap: AnswerTap,
    readonly chatId: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(TapAnswerCommand)
export class TapAnswerHandler implements ICommandHandler<TapAnswerCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly queries: QueryBus,
    private readonly commands: CommandBus,
  ) {}

  async execute({ tap, chatId, by }: TapAnswerCommand): Promise<AnswerResult> {
    const card = await findComplete(this.cards, tap.nonce, chatId);
    if (!card) return { kind: 'unknown-button' };
    const { approval } = await this.queries.execute(new GetApprovalQuery(card.approvalId, 'everything'));
    const questions = questionsOf(approval);
    if (!questions) return { kind: 'unknown-button' };
    if (tap.kind === 'open' || tap.kind === 'choose') {
      if (isSettled(approval)) return { kind: 'too-late', approval };
      return {
        kind: 'answers-offered',
        questions,
        chosen: questions.map((_question, i) => tap.chosen[i] ?? 0),
        nonce: card.nonce,
        cardMessageId: card.messageId,
        isNew: tap.kind === 'open',
      };
    }
    const answers = tap.kind === 'option' ? only(questions, tap.option) : chosenOf(questions, tap.chosen);
    if (!answers) return { kind: 'unknown-button' };
    try {
      const command = new DecideApprovalCommand(
        approval.id,
        by,
        'approved',
        null,
        card.displayDigest,
        answers,
      );
      return resultOf(await this.commands.execute(command));
    } catch (error) {
      return refusalOf(error);
    }
  }
}

function only(questions: readonly AskedQuestion[], option: number): Answers | null {
  const [question] = questions;
  const label = question?.options[option];
  return question && label !== undefined && questions.length === 1 ? { [question.text]: [label] } : null;
}

/** The labels that the bits choose, for each question. */
export const labelsOf = (
  questions: readonly AskedQuestion[],
  chosen: readonly number[],
): (readonly string[])[] =>
  questions.map(({ options }, i) => options.filter((_label, n) => ((chosen[i] ?? 0) & (1 << n)) !== 0));

/** Null while a question has no answer. */
function chosenOf(questions: readonly AskedQuestion[], chosen: readonly number[]): Answers | null {
  const labels = labelsOf(questions, chosen);
  if (labels.some((given) => given.length === 0)) return null;
  return Object.fromEntries(questions.map(({ text }, i) => [text, labels[i] ?? []]));
}
