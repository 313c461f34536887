import type { AskedQuestion, Answers } from '../kernel/questions';
import { beginning } from './excerpt';
import { bold, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';

const MAX_QUESTION_LENGTH = 300;
const MAX_ANSWER_LENGTH = 300;
const MAX_LABEL_LENGTH = 40;

/** The label of an option on its button. */
export const labelOf = (option: string): string => beginning(visibleLine(option), MAX_LABEL_LENGTH);

const question = (text: string): RichText => shorten(visibleLine(text), MAX_QUESTION_LENGTH);

/** The line of a card that tells how its question can be answered. */
export function howToAnswer(questions: readonly AskedQuestion[]): RichText {
  const lines = questions.length === 1 ? '' : `, one line for each of the ${questions.length} questions`;
  return words(`ℹ️ Tap an answer, or reply to this card in your own words${lines}.`);
}

/** The choices so far, above the buttons that change and send them. */
export function renderAnswerSheet(
  questions: readonly AskedQuestion[],
  chosen: readonly (readonly string[])[],
): RichText {
  return join(
    [
      rich`✍️ ${bold('Your answers')}. Nothing is sent yet.`,
      ...questions.flatMap(({ text, isMultiple }, i) => {
        const given = chosen[i] ?? [];
        const several = isMultiple ? ' (several may be chosen)' : '';
        return [
          rich`${i + 1}. ${question(text)}${words(several)}`,
          given.length === 0 ? words('   –') : rich`   ${answer(given)}`,
        ];
      }),
    ],
    '\n',
  );
}

/** Each question with its answer, for a card and for the message of an answer. */
export function renderAnswers(answers: Answers): RichText[] {
  return Object.entries(answers).map(([text, given]) => rich`💬 ${question(text)}: ${answer(given)}`);
}

const answer = (given: readonly string[]): RichText =>
  shorten(visibleLine(given.join(', ')), MAX_ANSWER_LENGTH);
