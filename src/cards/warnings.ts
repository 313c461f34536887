import type { ApprovalRequest } from '../approvals/approval';
import { runAtOnce, type Steps } from '../kernel/steps';
import type { ActionPart } from './action-part';
import { makeActionParts } from './action-parts';
import { stringsBeyondAscii } from './action-strings';
import { LookAlikeSearch, type LookAlike } from './look-alikes/look-alikes';
import { bold, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { makeVisible, visibleLine } from './visible-text/visible-text';

const MAX_WARNED_WORDS = 4;
const MAX_WARNED_WORDS_IN_A_LABEL = 2;
const MAX_WARNED_WORD_LENGTH = 40;
const MAX_WARNED_CHARACTERS = 3;

const UNITS_IN_A_STEP = 8 * 1024;
/** Cost of starting with a text, in units of reading it. */
const UNITS_FOR_EACH_TEXT = 16;

/** The caller's texts that are searched for deceptive characters. */
export type WrittenByCaller = Pick<
  ApprovalRequest,
  'toolName' | 'toolInput' | 'cwd' | 'agentId' | 'sessionId' | 'summary' | 'metadata'
>;

/** Warning lines for an operator about text in a request that may look like something else. */
export function warningsFor(request: WrittenByCaller): RichText[] {
  return runAtOnce(
    (function* () {
      const parts = yield* makeActionParts(request.toolName, request.toolInput);
      return yield* makeWarnings(request, parts);
    })(),
  );
}

/** Like {@link warningsFor}, in steps for a large request. */
export function* makeWarnings(request: WrittenByCaller, parts: readonly ActionPart[]): Steps<RichText[]> {
  const { toolName, toolInput, cwd, agentId, sessionId, summary, metadata } = request;
  const action = yield* stringsBeyondAscii(toolName, toolInput);
  const named = [toolName, cwd ?? ''].map((text) => ({ text, isCommand: false }));
  const labels: [label: string, text: string][] = [
    ['summary', summary ?? ''],
    ['agent', agentId],
    ['session', sessionId],
    ['metadata', JSON.stringify(metadata)],
  ];
  const search = new LookAlikeSearch(MAX_WARNED_WORDS);
  let units = 0;
  for (const { text, isCommand } of [...named, ...action]) {
    yield* search.look(text, { isCommand });
    units += text.length + UNITS_FOR_EACH_TEXT;
    if (units < UNITS_IN_A_STEP) continue;
    units = 0;
    yield;
  }
  const inLabels: RichText[] = [];
  for (const [label, text] of labels) inLabels.push(...(yield* lookAlikesInLabel(label, text)));
  const painting = yield* countPaintingMarks(parts, [toolName, cwd ?? '', ...labels.map(([, text]) => text)]);
  return [
    ...(search.count === 0 ? [] : [lookAlikeWarning('Look-alike letters', search, MAX_WARNED_WORDS)]),
    ...inLabels,
    ...(search.hasRightToLeftLetters
      ? [rightToLeftWarning('Right-to-left letters', 'in which it runs')]
      : []),
    ...(painting === 0
      ? []
      : [
          rich`🚨 ${bold('Combining marks')}: ${painting} would be drawn over other characters; each is shown as an escape`,
        ]),
  ];
}

/** Warnings about a text of the caller that identifies a request: an agent, a session, a summary. */
export function* lookAlikesInLabel(label: string, text: string): Steps<RichText[]> {
  const search = new LookAlikeSearch(MAX_WARNED_WORDS_IN_A_LABEL);
  yield* search.look(text, { isCommand: false });
  return [
    ...(search.count === 0
      ? []
      : [lookAlikeWarning(`Look-alike letters in the ${label}`, search, MAX_WARNED_WORDS_IN_A_LABEL)]),
    ...(search.hasRightToLeftLetters
      ? [rightToLeftWarning(`Right-to-left letters in the ${label}`, 'of its characters')]
      : []),
  ];
}

function rightToLeftWarning(heading: string, order: string): RichText {
  return rich`🚨 ${bold(heading)}: the order on the screen may not be the order ${order}`;
}

function lookAlikeWarning(heading: string, search: LookAlikeSearch, most: number): RichText {
  const shown = search.worst(most);
  const more = search.count > shown.length ? ` and ${search.count - shown.length} more` : '';
  return rich`🚨 ${bold(heading)}: ${join(shown.map(showLookAlike), ', ')}${words(more)}`;
}

function showLookAlike({ word, characters }: LookAlike): RichText {
  const guilty = characters.slice(0, MAX_WARNED_CHARACTERS).map((each) => `${each.script} ${each.codePoint}`);
  const more = characters.length > guilty.length ? ' and others' : '';
  return join([shorten(visibleLine(word), MAX_WARNED_WORD_LENGTH), ` (${guilty.join(', ')}${more})`]);
}

function* countPaintingMarks(parts: readonly ActionPart[], fields: readonly string[]): Steps<number> {
  let count = 0;
  for (const { paintingMarks } of parts) count += paintingMarks;
  for (const field of fields) count += (yield* makeVisible(field, 'line')).paintingMarks;
  return count;
}
