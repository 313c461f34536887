import type { ApprovalRequest } from '../approvals/approval';
import { isQuestion } from '../kernel/question-tools';
import { runInTurns } from '../kernel/run-in-turns';
import { runAtOnce, type Steps } from '../kernel/steps';
import { makeActionDocument } from './action-document';
import { actionFile, type ActionFile } from './action-file';
import type { ActionPart } from './action-part';
import { makeActionParts } from './action-parts';
import { askerOf, CLAIMED_AGENT } from './asker';
import { makeDiffParts } from './diff-parts';
import { fileNameOf } from './file-name';
import type { Circumstances } from './known-agents/known-agent';
import { knownTool, subagentOf, unguardedMode } from './known-agents/known-agents';
import { bold, fold, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { nearestParts, showExcerpt, showParts } from './show-parts';
import { Media, type Medium } from './media';
import { shortId } from './short-id';
import { toolTitle } from './titles';
import { makeVisible, visibleLine } from './visible-text/visible-text';
import { makeWarnings } from './warnings';

/** Length of each field in a shortened card, in UTF-16 units. The action gets the rest. */
/** Characters of a tool's name at the foot of a card; its details have a longer one. */
export const MAX_TOOL_LENGTH = 80;

const SHORT = { name: 100, directory: 240, prose: 300 } as const;

/** A request as operators read it, computed once, since that is expensive for a large input. */
export interface CardContent {
  readonly request: ApprovalRequest;
  /** Length of the longest message of the channel, in UTF-16 units. */
  readonly limit: number;
  /** The effect of the request in words. */
  readonly title: RichText;
  /** The parts as a card shows them, with a diff in place of edits. */
  readonly parts: readonly ActionPart[];
  readonly warnings: readonly RichText[];
  /** The visible form of the metadata; null without any. */
  readonly metadata: string | null;
  /** The parts as the document has them, with both texts of every edit. */
  readonly texts: readonly ActionPart[];
  /** The data in the input, for which a marker stands in the parts. */
  readonly media: readonly Medium[];
  /** The documents if a card can certainly not hold the whole action; null if the card may hold it. */
  readonly documents: readonly ActionFile[] | null;
}

export interface Surroundings {
  /** The first lines. */
  readonly heading: readonly RichText[];
  /** Lines that a reader must see, before the folded details. */
  readonly notices: readonly RichText[];
  /** Further details, at the beginning and at the end of them. */
  readonly reasons: readonly RichText[];
  readonly details: readonly RichText[];
  /** The last lines. */
  readonly closing: readonly RichText[];
  /** True for a card that nobody decides any more: the action is folded, too. */
  readonly isSettled: boolean;
  /** The files that come before the card: if it cannot hold the whole action, the last one has it. */
  readonly files: readonly ActionFile[];
  /** Messages in place of a document, if the chat accepts no files. */
  readonly pieces?: SentPieces | null;
}

/** Text messages before the card that hold the complete action. */
export interface SentPieces {
  readonly count: number;
  /** Digest of their texts, joined by newlines; lower-case hex. */
  readonly sha256: string;
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
  const { toolName, toolInput, metadata, cwd } = request;
  const found = new Media(shortId(request.id));
  const texts = yield* makeActionParts(toolName, toolInput, found);
  const media = found.found;
  const { parts, places } = yield* makeDiffParts(texts);
  yield;
  const warnings = [
    ...dangerWarning(request),
    ...media.flatMap(misnamedWarning),
    ...(yield* makeWarnings(request, texts)),
    ...modeWarning(request),
  ];
  const given = Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : null;
  const shown = given === null ? null : (yield* makeVisible(given, 'block')).shown;
  const isLong = [...parts, { shown: shown ?? '' }].some((each) => each.shown.length > limit);
  const documents = isLong ? yield* makeDocuments(request, texts) : null;
  const title = titleOf(request, { cwd, places });
  return { request, limit, title, parts, texts, media, warnings, metadata: shown, documents };
}

/** The file that the action writes, under its own name, then the document with the whole action. */
export function* makeDocuments(
  request: ApprovalRequest,
  texts: readonly ActionPart[],
): Steps<readonly ActionFile[]> {
  const written = new Map<ActionPart, ActionFile>();
  for (const part of texts) {
    if (!part.file) continue;
    written.set(part, actionFile(fileNameOf(part.file.path), Buffer.from(part.file.content, 'utf8')));
    yield;
  }
  return [...written.values(), yield* makeActionDocument(request, texts, written)];
}

/** The effect of the request in words; of a tool that is not known the name. */
export function titleOf(
  request: Pick<ApprovalRequest, 'toolName' | 'toolInput'>,
  circumstances: Circumstances,
): RichText {
  const { toolName, toolInput } = request;
  if (isQuestion(request)) return rich`❓ ${bold('The agent asks a question')}`;
  return knownTool(toolName)?.title?.(toolInput, circumstances) ?? toolTitle(toolName);
}

/** The whole request in one message; undefined if it is too long. */
export function completeBody(content: CardContent, surroundings: Surroundings): RichText | undefined {
  if (content.documents !== null) return undefined;
  const message = compose(content, surroundings, showParts(actionOf(content)), () => Infinity);
  return message.text.length <= content.limit ? message : undefined;
}

/** The request with shortened fields and, if needed, a shortened action; the card marks both. */
export function shortenedBody(content: CardContent, surroundings: Surroundings): RichText {
  const { limit } = content;
  const action = actionOf(content);
  const draft = (parts: readonly RichText[]): RichText =>
    compose(content, surroundings, parts, (length) => length);
  for (const parts of [action, nearestParts(action)]) {
    if (parts.some(({ shown }) => shown.length > limit)) continue;
    const whole = draft(showParts(parts));
    if (whole.text.length <= limit) return whole;
  }
  const length = limit - draft(showExcerpt(action, 0, limit)).text.length;
  const message = draft(showExcerpt(action, length, limit));
  // The plain form adds marks to the lines, so it shows that much less of the text.
  const excess = message.plain.length - limit;
  if (excess <= 0) return message;
  return { ...message, plain: draft(showExcerpt(action, length - excess, limit)).plain };
}

const actionOf = ({ parts }: CardContent): ActionPart[] => parts.filter(({ isDetail }) => !isDetail);

function compose(
  content: CardContent,
  around: Surroundings,
  action: readonly RichText[],
  fieldLimit: (length: number) => number,
): RichText {
  const { agentId, sessionId, cwd, summary, metadata } = content.request;
  const short = (value: string, limit: number): RichText => shorten(visibleLine(value), fieldLimit(limit));
  const field = (label: string, value: string, limit: number): RichText =>
    rich`${bold(label)}: ${shorten(value, fieldLimit(limit))}`;
  // The foot of the card cuts a long name.
  const tool = visibleLine(content.request.toolName);
  const subagent = subagentOf(metadata);
  const kind = subagent === null ? words('') : rich` · ${bold('Subagent')}: ${short(subagent, SHORT.name)}`;
  const named = content.parts.filter(({ isDetail }) => isDetail);
  const details = [
    rich`${field(CLAIMED_AGENT, visibleLine(agentId), SHORT.name)}${kind}`,
    rich`${bold('Asked by')}: ${askerOf(content.request)}`,
    ...around.reasons,
    ...(tool.length > MAX_TOOL_LENGTH ? [field('Tool', tool, SHORT.prose)] : []),
    ...named.map((part) => field(part.label, part.shown, SHORT.directory)),
    ...(summary === null ? [] : [field('Summary by the agent', visibleLine(summary), SHORT.prose)]),
    ...(cwd === null ? [] : [field('Directory', visibleLine(cwd), SHORT.directory)]),
    field('Session', visibleLine(sessionId), SHORT.name),
    ...(content.metadata === null ? [] : [field('Metadata', content.metadata, SHORT.prose)]),
    ...around.files.map(fileNote),
    ...(around.pieces ? [piecesNote(around.pieces)] : []),
    ...around.details,
  ];
  const seen = [...content.warnings, ...action, ...around.notices];
  return join(
    [
      ...around.heading,
      ...(around.isSettled ? [] : seen),
      fold(join(around.isSettled ? [...seen, ...details] : details, '\n')),
      ...around.closing,
    ],
    '\n',
  );
}

function fileNote({ fileName, sha256, isWhole, isPhoto }: ActionFile): RichText {
  const place = isWhole ? 'Complete in the document' : isPhoto ? 'In the picture' : 'In the document';
  return rich`${words(isPhoto ? '🖼' : '📄')} ${bold(place)} ${fileName}, SHA-256 ${sha256}`;
}

function piecesNote({ count, sha256 }: SentPieces): RichText {
  const messages = count === 1 ? 'the message' : `the ${count} messages`;
  return rich`📄 ${bold(`Complete in ${messages} of this request before`)}, SHA-256 ${sha256}`;
}

/** A warning about options that make this call more dangerous than it looks. */
function dangerWarning({ toolName, toolInput }: ApprovalRequest): RichText[] {
  const dangers = knownTool(toolName)?.dangers?.(toolInput) ?? [];
  return dangers.length === 0 ? [] : [rich`🚨 ${join(dangers, ' · ')}`];
}

/** A warning about data that is certainly not what the caller calls it. */
function misnamedWarning({ misnamed, words: kind }: Medium, index: number): RichText[] {
  if (misnamed === null) return [];
  const heading = bold(`File ${index + 1} is not what it is called`);
  return [rich`🚨 ${heading}: ${misnamed}, but the data is: ${words(kind)}`];
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
