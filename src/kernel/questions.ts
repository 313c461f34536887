import { z } from 'zod';
import { canonicalize, sha256Hex } from './canonical-json';
import type { JsonObject } from './json';
import { isQuestion } from './question-tools';

/** More can neither be read on a card nor chosen with buttons. */
const MAX_QUESTIONS = 6;
const MAX_OPTIONS = 12;

/** Longest text of a question or an option, in UTF-16 units; of a form with longer ones, none is read. */
const MAX_TEXT_LENGTH = 1000;

/** Longest text of one answer, in UTF-16 units, as for a reason. */
export const MAX_ANSWER_LENGTH = 1000;

/** Questions with options, as Claude Code asks them; a form of another shape cannot be answered here. */
const schema = z.object({
  questions: z
    .array(
      z.object({
        question: z.string().min(1).max(MAX_TEXT_LENGTH),
        multiSelect: z.boolean().default(false),
        options: z.array(z.object({ label: z.string().min(1).max(MAX_TEXT_LENGTH) })).max(MAX_OPTIONS),
      }),
    )
    .min(1)
    .max(MAX_QUESTIONS),
});

export interface AskedQuestion {
  readonly text: string;
  /** True if more than one option may be chosen. */
  readonly isMultiple: boolean;
  /** Labels of the options. */
  readonly options: readonly string[];
}

/** The answers by the text of their question: labels of options, or a person's own words. */
export type Answers = Readonly<Record<string, readonly string[]>>;

interface Call {
  readonly toolName: string;
  readonly toolInput: JsonObject;
}

/** The questions of a call; null for a call that asks none, and for a form that is not known. */
export function questionsOf({ toolName, toolInput }: Call): readonly AskedQuestion[] | null {
  if (!isQuestion({ toolName })) return null;
  const { data } = schema.safeParse(toolInput);
  if (!data) return null;
  const questions = data.questions.map(({ question: text, multiSelect: isMultiple, options }) => ({
    text,
    isMultiple,
    options: options.map(({ label }) => label),
  }));
  // An answer names its question by the text.
  const texts = new Set(questions.map(({ text }) => text));
  const areDistinct = questions.every(({ options }) => new Set(options).size === options.length);
  return texts.size === questions.length && !texts.has('__proto__') && areDistinct ? questions : null;
}

/** The fault of answers to these questions; null for complete ones. */
export function faultOf(answers: Answers, questions: readonly AskedQuestion[]): string | null {
  const unknown = Object.keys(answers).find((text) => questions.every((question) => question.text !== text));
  if (unknown !== undefined) return 'names a question that was not asked';
  for (const [i, { text, isMultiple }] of questions.entries()) {
    const given = Object.hasOwn(answers, text) ? answers[text] : undefined;
    if (given === undefined || given.length === 0) return `lacks an answer to question ${i + 1}`;
    if (!isMultiple && given.length > 1) return `has more than one answer to question ${i + 1}`;
    if (given.length > MAX_OPTIONS + 1) return `has too many answers to question ${i + 1}`;
    if (given.some((each) => each === '' || each.length > MAX_ANSWER_LENGTH))
      return `must have 1 to ${MAX_ANSWER_LENGTH} characters in each answer to question ${i + 1}`;
  }
  return null;
}

/** The input with its answers, in the form that Claude Code gives its own tool. */
export function withAnswers(toolInput: JsonObject, answers: Answers): JsonObject {
  const texts = Object.entries(answers).map(([question, given]) => [question, given.join(', ')] as const);
  return { ...toolInput, answers: Object.fromEntries(texts) };
}

/** `sha256:` and the hex SHA-256 of the RFC 8785 form of the answers. */
export const answersDigest = (answers: Answers): string => `sha256:${sha256Hex(canonicalize(answers))}`;

/** A person's own words as the answers: one line for each question; null if the lines are not as many. */
export function answersIn(words: string, questions: readonly AskedQuestion[]): Answers | null {
  const lines =
    questions.length === 1
      ? [words.trim()]
      : words
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== '');
  if (lines.length !== questions.length || lines.includes('')) return null;
  return Object.fromEntries(questions.map(({ text }, i) => [text, [lines[i] ?? '']]));
}
