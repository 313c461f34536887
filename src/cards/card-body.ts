import type { ApprovalRequest } from '../approvals/approval';
import { runAtOnce, runInTurns, type Steps } from '../kernel/steps';
import { makeActionDocument, makeActionText, type ActionDocument } from './action-document';
import type { ActionPart } from './action-part';
import { labelOf, makeActionParts } from './action-parts';
import { askerOf, CLAIMED_AGENT } from './asker';
import { excerpt, type Excerpt } from './excerpt';
import { unguardedMode } from './known-agents/known-agents';
import { bold, join, pre, rich, words, type RichText } from './rich-text';
import { shortId } from './short-id';
import { shorten } from './shorten';
import { makeVisible, visibleLine } from './visible-text/visible-text';
import { makeWarnings } from './warnings';

/** Length of each field in a shortened card, in UTF-16 units. The action gets the rest. */
const SHORT = { name: 100, directory: 240, prose: 300 } as const;

/** A request as operators read it, computed once, since that is expensive for a large input. */
export interface CardContent {
  readonly request: ApprovalRequest;
  /** Length of the longest message of the channel, in UTF-16 units. */
  readonly limit: number;
  readonly parts: readonly ActionPart[];
  readonly warnings: readonly RichText[];
  /** The visible form of the metadata; null without any. */
  readonly metadata: string | null;
  /** The visible parts as lines of plain text. */
  readonly text: string;
  /** The document if a card can certainly not hold the whole action; null if the card may hold it. */
  readonly document: ActionDocument | null;
}

export interface Surroundings {
  /** The first lines: the request's state, with the name of the tool. */
  readonly heading: (tool: RichText) => readonly RichText[];
  /** The last lines before the request's id. */
  readonly closing: readonly RichText[];
  /** The document with the whole action, if the card cannot hold it. */
  readonly document: ActionDocument | null;
  /** Messages in place of a document, if the chat accepts no files. */
  readonly pieces?: SentPieces | null;
}

/** Text messages before the card that hold the complete action. */
export interface SentPieces {
  readonly count: number;
  /** Digest of their texts, joined by newlines; lower-case hex. */
  readonly sha256: string;
}

interface Layout {
  readonly action: readonly RichText[];
  readonly fieldLimit: (length: number) => number;
}

const prepared = new WeakMap<ApprovalRequest, CardContent>();

/** The content that `prepareCard` computed for this request object and limit; else computes it now. */
export function cardContent(request: ApprovalRequest, limit: number): CardContent {
  const content = prepared.get(request);
  return content?.limit === limit ? content : runAtOnce(makeCardContent(request, limit));
}

/**
 * Computes a request's content in bounded steps, so that a large one does not block others. Later rendering of the same
 * request object reuses it and is fast.
 */
export async function prepareCard(request: ApprovalRequest, limit: number): Promise<void> {
  prepared.set(request, await runInTurns(makeCardContent(request, limit)));
}

function* makeCardContent(request: ApprovalRequest, limit: number): Steps<CardContent> {
  const { toolName, toolInput, metadata } = request;
  const parts = yield* makeActionParts(toolName, toolInput);
  const warnings = [...(yield* makeWarnings(request, parts)), ...modeWarning(request)];
  const given = Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : null;
  const shown = given === null ? null : (yield* makeVisible(given, 'block')).shown;
  const text = yield* makeActionText(parts);
  const isLong = [...parts, { shown: shown ?? '' }].some((each) => each.shown.length > limit);
  const document = isLong ? yield* makeActionDocument(request, text) : null;
  return { request, limit, parts, warnings, metadata: shown, text, document };
}

/** The whole request in one message; undefined if it is too long. */
export function completeBody(content: CardContent, surroundings: Surroundings): RichText | undefined {
  if (content.document !== null) return undefined;
  const action = content.parts.flatMap((part) => showPart(part));
  const message = compose(content, surroundings, { action, fieldLimit: () => Infinity });
  return message.text.length <= content.limit ? message : undefined;
}

/** The request with shortened fields and, if needed, a shortened action; the card marks both. */
export function shortenedBody(content: CardContent, surroundings: Surroundings): RichText {
  const draft = (action: readonly RichText[]): RichText =>
    compose(content, surroundings, { action, fieldLimit: (length) => length });
  const frame = (action: readonly RichText[]): number => content.limit - draft(action).text.length;
  if (lengthOf(content.parts) <= frame([])) return draft(content.parts.flatMap((part) => showPart(part)));
  const { text } = content;
  const room = frame(showExcerpt(text, { head: '', tail: '', leftOut: text.length }));
  const message = draft(showExcerpt(text, excerpt(text, room)));
  // The plain form adds marks to the lines, so it shows that much less of the text.
  const excess = message.plain.length - content.limit;
  if (excess <= 0) return message;
  return { ...message, plain: draft(showExcerpt(text, excerpt(text, room - excess))).plain };
}

function compose(content: CardContent, around: Surroundings, { action, fieldLimit }: Layout): RichText {
  const { toolName, agentId, sessionId, cwd, summary, id } = content.request;
  const field = (label: string, value: string, limit: number): RichText =>
    rich`${bold(label)}: ${shorten(value, fieldLimit(limit))}`;
  return join(
    [
      ...around.heading(shorten(visibleLine(toolName), fieldLimit(SHORT.name))),
      ...action,
      ...content.warnings,
      ...(cwd === null ? [] : [field('Directory', visibleLine(cwd), SHORT.directory)]),
      ...(summary === null ? [] : [field('Summary by the agent', visibleLine(summary), SHORT.prose)]),
      rich`${bold('Asked by')}: ${askerOf(content.request)}`,
      field(CLAIMED_AGENT, visibleLine(agentId), SHORT.name),
      field('Session', visibleLine(sessionId), SHORT.name),
      ...(content.metadata === null ? [] : [field('Metadata', content.metadata, SHORT.prose)]),
      ...(around.document ? [documentNote(around.document)] : []),
      ...(around.pieces ? [piecesNote(around.pieces)] : []),
      ...around.closing,
      rich`${bold('Request')}: ${shortId(id)}`,
    ],
    '\n',
  );
}

/** Length that these parts add to a message: a label takes at most 2 more characters and a line end. */
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
    // The cut may be within a line, so mark that the tail is not the beginning of one.
    pre(`…${tail}`),
  ];
}

function documentNote({ fileName, sha256 }: ActionDocument): RichText {
  return rich`📄 ${bold('Complete in the document')} ${fileName}, SHA-256 ${sha256}`;
}

function piecesNote({ count, sha256 }: SentPieces): RichText {
  const messages = count === 1 ? 'the message' : `the ${count} messages`;
  return rich`📄 ${bold(`Complete in ${messages} of this request before`)}, SHA-256 ${sha256}`;
}

/** Warning if the permission mode may let the action run without an answer. */
function modeWarning({ metadata }: ApprovalRequest): RichText[] {
  const mode = unguardedMode(metadata);
  if (mode === null) return [];
  const shown = shorten(visibleLine(mode), SHORT.name);
  return [
    rich`🚨 ${bold('Permission mode')} ${shown}: if this service failed, the agent would run it unasked`,
  ];
}
