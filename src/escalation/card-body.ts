import type { ApprovalRequest } from '../approvals/approval';
import type { ActionDocument } from './action-document';
import { actionLines, actionParts, labelOf, stringsOf, type ActionPart } from './action-parts';
import { excerpt, type Excerpt } from './excerpt';
import { hasRightToLeftLetters, lookAlikes } from './look-alikes';
import { unguardedMode } from './permission-mode';
import { bold, join, MAX_MESSAGE_LENGTH, pre, rich, words, type RichText } from './rich-text';
import { shortId } from './short-id';
import { shorten } from './shorten';
import { visibleBlock, visibleLine } from './visible-text';

/** How much of each field is shown when not everything fits, in UTF-16 units. The action gets all the rest. */
const SHORT = { name: 100, directory: 240, prose: 300 } as const;
const MAX_WARNED_WORDS = 4;
const MAX_WARNED_WORD_LENGTH = 40;
const MAX_WARNED_CHARACTERS = 3;

/** A request as operators read it, worked out once: scanning a large input is not cheap. */
export interface CardContent {
  readonly request: ApprovalRequest;
  readonly parts: readonly ActionPart[];
  readonly warnings: readonly RichText[];
}

export interface Surroundings {
  /** The first lines: what happens or happened, around the name of the tool. */
  readonly heading: (tool: RichText) => readonly RichText[];
  /** The last lines before the request's id. */
  readonly closing: readonly RichText[];
  /** Where the whole stands, when the card cannot hold it. */
  readonly document: ActionDocument | null;
}

interface Layout {
  readonly action: readonly RichText[];
  readonly fieldLimit: (length: number) => number;
}

export function cardContent(request: ApprovalRequest): CardContent {
  return {
    request,
    parts: actionParts(request.toolName, request.toolInput),
    warnings: [...warningsFor(request), ...modeWarning(request)],
  };
}

/** The whole request in one message; undefined when it is too long for that. */
export function completeBody(content: CardContent, surroundings: Surroundings): RichText | undefined {
  if (content.parts.some(({ shown }) => shown.length > MAX_MESSAGE_LENGTH)) return undefined;
  const action = content.parts.flatMap((part) => showPart(part));
  const message = compose(content, surroundings, { action, fieldLimit: () => Infinity });
  return message.text.length <= MAX_MESSAGE_LENGTH ? message : undefined;
}

/** The request with its long fields shortened, and the action too where it still does not fit; both say so. */
export function shortenedBody(content: CardContent, surroundings: Surroundings): RichText {
  const draft = (action: readonly RichText[]): RichText =>
    compose(content, surroundings, { action, fieldLimit: (length) => length });
  const frame = (action: readonly RichText[]): number => MAX_MESSAGE_LENGTH - draft(action).text.length;
  if (lengthOf(content.parts) <= frame([])) return draft(content.parts.flatMap((part) => showPart(part)));
  const text = actionLines(content.parts).join('\n');
  const room = frame(showExcerpt(text, { head: '', tail: '', leftOut: text.length }));
  return draft(showExcerpt(text, excerpt(text, room)));
}

function compose(content: CardContent, around: Surroundings, { action, fieldLimit }: Layout): RichText {
  const { toolName, agentId, sessionId, cwd, summary, metadata, id } = content.request;
  const field = (label: string, value: string, limit: number): RichText =>
    rich`${bold(label)}: ${shorten(value, fieldLimit(limit))}`;
  return join(
    [
      ...around.heading(shorten(visibleLine(toolName), fieldLimit(SHORT.name))),
      ...action,
      ...content.warnings,
      ...(cwd === null ? [] : [field('Directory', visibleLine(cwd), SHORT.directory)]),
      ...(summary === null ? [] : [field('Summary by the agent', visibleLine(summary), SHORT.prose)]),
      field('Agent', visibleLine(agentId), SHORT.name),
      field('Session', visibleLine(sessionId), SHORT.name),
      ...(Object.keys(metadata).length === 0
        ? []
        : [field('Metadata', visibleBlock(JSON.stringify(metadata)), SHORT.prose)]),
      ...(around.document ? [documentNote(around.document)] : []),
      ...around.closing,
      rich`${bold('Request')}: ${shortId(id)}`,
    ],
    '\n',
  );
}

/** By how much a message grows with these parts: at most 2 characters and a line end go with a label. */
function lengthOf(parts: readonly ActionPart[]): number {
  return parts.reduce((sum, part) => sum + labelOf(part).length + part.shown.length + 3, 0);
}

function showPart(part: ActionPart): RichText[] {
  const label = bold(labelOf(part));
  if (part.shown === '') return [label];
  if (part.layout === 'line') return [rich`${label}: ${part.shown}`];
  return [rich`${label}:`, pre(part.shown, part.language)];
}

function showExcerpt(whole: string, { head, tail, leftOut }: Excerpt): RichText[] {
  return [
    rich`🔎 ${bold('Excerpt only')}: the action has ${whole.length} characters. It begins`,
    pre(head),
    words(`… ${leftOut} characters left out … and it ends`),
    // The cut is in the middle of a line, which must not read as the beginning of one.
    pre(`…${tail}`),
  ];
}

function documentNote({ fileName, sha256 }: ActionDocument): RichText {
  return rich`📄 ${bold('Complete in the document')} ${fileName}, SHA-256 ${sha256}`;
}

/** What may happen to the action without an answer. */
function modeWarning({ metadata }: ApprovalRequest): RichText[] {
  const mode = unguardedMode(metadata);
  if (mode === null) return [];
  const shown = shorten(visibleLine(mode), SHORT.name);
  return [
    rich`🚨 ${bold('Permission mode')} ${shown}: if this service failed, the agent would run it unasked`,
  ];
}

/** What about an action may look like something else than it is. */
export function warningsFor({
  toolName,
  toolInput,
  cwd,
}: Pick<ApprovalRequest, 'toolName' | 'toolInput' | 'cwd'>): RichText[] {
  const text = [toolName, cwd ?? '', ...stringsOf(toolInput)].join('\n');
  const found = lookAlikes(text);
  const shown = found.slice(0, MAX_WARNED_WORDS).map(({ word, characters }) => {
    const guilty = characters
      .slice(0, MAX_WARNED_CHARACTERS)
      .map((each) => `${each.script} ${each.codePoint}`);
    const more = characters.length > guilty.length ? ' and others' : '';
    return join([shorten(visibleLine(word), MAX_WARNED_WORD_LENGTH), ` (${guilty.join(', ')}${more})`]);
  });
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  return [
    ...(found.length === 0
      ? []
      : [rich`🚨 ${bold('Look-alike letters')}: ${join(shown, ', ')}${words(more)}`]),
    ...(hasRightToLeftLetters(text)
      ? [
          rich`🚨 ${bold('Right-to-left letters')}: the order on the screen may not be the order in which it runs`,
        ]
      : []),
  ];
}
