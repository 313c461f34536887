import {
  noteOf,
  possibleVerdicts,
  unansweredReason,
  type Acknowledgement,
  type Approval,
  type ApprovalRequest,
  type DecidedApproval,
  type EarlierRequest,
  type SettledApproval,
} from '../approvals/approval';
import { questionsOf } from '../kernel/questions';
import { nameActor, readActor } from '../kernel/actor';
import { groupsInWords, needsPasskey, type Requirement } from '../kernel/requirement';
import { isQuestion } from '../kernel/question-tools';
import { runAtOnce } from '../kernel/steps';
import type { ActionFile } from './action-file';
import {
  cardContent,
  completeBody,
  makeDocuments,
  MAX_TOOL_LENGTH,
  shortenedBody,
  type CardContent,
  type SentPieces,
  type Surroundings,
} from './card-body';
import { howToAnswer, renderAnswers } from './question-text';
import { renderEarlier } from './earlier-requests';
import { knownTool } from './known-agents/known-agents';
import { span, utc, utcMinute } from './moments';
import { makesNoteReach } from './note-reach';
import { bold, join, mention, relativeTime, rich, words, type RichText } from './rich-text';
import { shortId } from './short-id';
import { shorten } from './shorten';
import { pathOf } from './titles';
import { visibleLine } from './visible-text/visible-text';
import { who } from './who';
import { NO_NOTE } from './words-text';

/** A card for a decision. Approve may appear only after the upload of all its files. */
export interface Card extends RichText {
  /** In the order in which they come before the card. */
  readonly files: readonly ActionFile[];
}

interface CardOptions {
  readonly notices?: readonly string[];
  readonly pieces?: SentPieces | null;
  readonly earlier?: readonly EarlierRequest[];
  /** Address of the console; null: browsers reach it at no fixed one. */
  readonly consoleUrl?: string | null;
  /** People whom the card notifies. */
  readonly mentioned?: readonly Mentioned[];
}

/** A person whom a card notifies; `account` null: they have none in the channel, and are only named. */
export interface Mentioned {
  readonly name: string;
  readonly account: string | null;
}

/** More than these are counted: Telegram notifies few people of one message. */
const MAX_MENTIONED = 10;

const MAX_REASON_LENGTH = 400;

/**
 * The card of a pending approval, for a channel whose messages have at most `limit` UTF-16 units: the complete action or,
 * if that does not fit, its beginning and end and a document with the whole. The files depend only on the approval, so
 * they can be rendered again at any time.
 *
 * @param options.earlier the requests of the session before this one, which a card shows if they fit
 * @param options.mentioned people whom the channel notifies when the card appears
 * @param options.notices further lines for the operator
 * @param options.pieces messages with the whole action, instead of a document
 */
export function renderCard(approval: ApprovalRequest, limit: number, options: CardOptions = {}): Card {
  return pendingCard(cardContent(approval, limit), options);
}

/** The card of a settled approval: outcome, actor, time, reason, action, and the agent's acknowledgement. */
export function renderOutcome(
  approval: SettledApproval,
  limit: number,
  pieces: SentPieces | null = null,
): RichText {
  const content = cardContent(approval, limit);
  const acknowledged = approval.acknowledged === null ? [] : [acknowledgement(approval.acknowledged)];
  const { files } = pendingCard(content, { pieces });
  const surroundings: Surroundings = {
    heading: [...outcome(approval), content.title],
    notices: erased(approval),
    reasons: verdictOf(approval),
    details: [],
    closing: [...acknowledged, footOf(approval), requestLine(approval)],
    isSettled: true,
    files,
    pieces,
  };
  const complete =
    files.some(({ isWhole }) => isWhole) || pieces ? undefined : completeBody(content, surroundings);
  return complete ?? shortenedBody(content, surroundings);
}

/** Caption of a card's file. */
export function renderFileCaption(approval: Approval, { sha256, isWhole, isPhoto }: ActionFile): RichText {
  const id = shortId(approval.id);
  const what = isWhole ? rich`Everything that request ${id} asks for` : rich`Belongs to request ${id}`;
  return rich`${words(isPhoto ? '🖼' : '📄')} ${what}. SHA-256 ${sha256}`;
}

function pendingCard(
  content: CardContent,
  { notices = [], pieces = null, earlier = [], consoleUrl = null, mentioned = [] }: CardOptions,
): Card {
  const { request } = content;
  const surroundings: Omit<Surroundings, 'files'> = {
    heading: [content.title],
    notices: [
      ...notices.map((notice) => words(`🚨 ${notice}`)),
      ...whereToSign(request, consoleUrl),
      ...whereToAnswer(request),
      ...mentions(mentioned),
    ],
    reasons: verdictOf(request),
    details: [rich`${bold('Expires')}: ${words(utc(request.expiresAt))}`, requestLine(request)],
    closing: [footOf(request), expiry(request)],
    isSettled: false,
  };
  if (pieces) return { ...shortenedBody(content, { ...surroundings, files: [], pieces }), files: [] };
  const whole = { ...surroundings, files: content.media };
  const ledTo = renderEarlier(earlier);
  // The requests before it are left out sooner than a part of this one.
  const complete =
    completeBody(content, { ...whole, details: [...whole.details, ...ledTo] }) ??
    completeBody(content, whole);
  if (complete) return { ...complete, files: content.media };
  const documents = content.documents ?? runAtOnce(makeDocuments(request, content.texts));
  const files = [...content.media, ...documents];
  return { ...shortenedBody(content, { ...surroundings, files }), files };
}

const requestLine = ({ id }: ApprovalRequest): RichText => rich`${bold('Request')}: ${shortId(id)}`;

/** The tool, and the file, host or directory that it concerns: beside the buttons, where the title may be out of sight. */
function footOf({ toolName, toolInput, cwd }: ApprovalRequest): RichText {
  const tool = shorten(visibleLine(toolName), MAX_TOOL_LENGTH);
  const target = knownTool(toolName)?.target?.(toolInput) ?? null;
  if (target !== null) return rich`${tool} · ${pathOf(target, cwd)}`;
  return cwd === null ? tool : rich`${tool} · ${pathOf(cwd, null)}`;
}

function mentions(mentioned: readonly Mentioned[]): RichText[] {
  if (mentioned.length === 0) return [];
  const names = mentioned.slice(0, MAX_MENTIONED).map(({ name, account }) => mention(name, account));
  const more = mentioned.length - names.length;
  return [rich`🔔 ${join(names, ', ')}${words(more > 0 ? ` and ${more} more` : '')}`];
}

function whereToAnswer(request: ApprovalRequest): RichText[] {
  if (!isQuestion(request)) return [];
  const { required } = request;
  const questions = required && needsPasskey(required) ? null : questionsOf(request);
  if (questions) return [howToAnswer(questions)];
  const terminal = rich`ℹ️ ${bold('Answer it at the terminal')} where the agent runs; it cannot be answered here`;
  return possibleVerdicts(request).length === 0 ? [terminal] : [rich`${terminal}, only rejected`];
}

/** A tap approves nothing where the policy asks for a passkey, which signs no answers to a question. */
function whereToSign({ id, required, toolName }: ApprovalRequest, consoleUrl: string | null): RichText[] {
  if (required === null || !needsPasskey(required) || isQuestion({ toolName })) return [];
  const where = consoleUrl === null ? '' : `: ${consoleUrl}/console/requests/${id}`;
  return [
    rich`🔑 ${bold('Approve it in the console')}, with your passkey${words(where)}. Here it can only be rejected.`,
  ];
}

/** The reason why a person is asked, where the policy has one, and what a rule in shadow mode would have done. */
function verdictOf({ policy, required }: ApprovalRequest): RichText[] {
  return [
    ...policyOf(policy),
    ...(required === null ? [] : [needed(required)]),
    ...(policy?.needsReason ? [rich`💬 ${bold('Needs')}: a reason with each decision`] : []),
  ];
}

function needed(required: Requirement): RichText {
  const { approvals, rejections } = required;
  const groups = groupsInWords(required);
  const of = groups === '' ? words('') : rich` of ${words(groups)}`;
  const noes = rejections === 1 ? words('') : rich`, ${words(String(rejections))} to reject it`;
  return rich`🗳 ${bold('Needs')}: ${words(people(approvals))}${of}${noes}`;
}

const people = (count: number): string => (count === 1 ? 'one person' : `${count} people`);

function policyOf(policy: ApprovalRequest['policy']): RichText[] {
  if (policy === null) return [];
  const { rules, class: name, doubt, shadow } = policy;
  const short = (text: string) => shorten(visibleLine(text), MAX_REASON_LENGTH);
  const inClass = name === null || name === 'normal' ? words('') : rich`, class ${short(name)}`;
  return [
    ...(rules.length > 0 ? [rich`⚖️ ${bold('Policy')}: ${short(rules.join(', '))} asks${inClass}`] : []),
    ...(doubt === null ? [] : [rich`⚖️ ${bold('No rule could allow it')}: ${short(doubt.words)}`]),
    ...(shadow === null
      ? []
      : [rich`👥 ${bold('In shadow')}: ${IN_SHADOW[shadow.decision]} ${short(shadow.rules.join(', '))}`]),
  ];
}

const IN_SHADOW = {
  allow: words('it would be allowed by'),
  deny: words('it would be denied by'),
  ask: words('a person would be asked by'),
};

/**
 * The relative time uses the client's own clock. If a client cannot show one, it shows the fallback, which must stay
 * true without edits. So the fallback counts from the request, not from now.
 */
export function expiry({ createdAt, expiresAt }: ApprovalRequest): RichText {
  const fallback = `${span(createdAt.getTime(), expiresAt.getTime())} after the request`;
  const minute = words(utcMinute(expiresAt, createdAt));
  return rich`⏳ ${minute} (${relativeTime(expiresAt, fallback)})`;
}

const erased = ({ erasure }: SettledApproval): RichText[] =>
  erasure
    ? [
        rich`🧹 ${bold('Input erased')} by ${words(visibleLine(erasure.by.name))}: ${words(visibleLine(erasure.reason))}`,
      ]
    : [];

function outcome(approval: SettledApproval): RichText[] {
  const at = utc(approval.settledAt);
  switch (approval.status) {
    case 'approved':
      return [
        rich`✅ ${bold(approval.decision.answers ? 'Answered' : 'Approved')} by ${who(approval.decision.by)}`,
        ...together(approval),
        words(at),
        ...(approval.decision.answers ? renderAnswers(approval.decision.answers) : []),
        ...note(approval),
      ];
    case 'rejected':
      return [
        rich`❌ ${bold('Rejected')} by ${who(approval.decision.by)}`,
        ...together(approval),
        words(at),
        ...reason(approval.decision.reason),
      ];
    case 'cancelled':
      return [rich`🚫 ${bold('Cancelled')} by ${who(approval.by)}`, words(at), ...reason(approval.reason)];
    case 'expired': {
      const unanswered = unansweredReason(approval);
      const more = approval.reason === unanswered ? null : approval.reason;
      return [rich`⌛ ${bold('Expired')}: ${words(unanswered)}`, words(at), ...reason(more)];
    }
  }
}

/** The people who decided before the last one, where several had to. */
function together({ required, decisions, status, decision }: DecidedApproval): RichText[] {
  if (required === null) return [];
  const last = nameActor(decision.by);
  return decisions
    .filter(({ verdict, by }) => verdict === status && !(by.kind === last.kind && by.id === last.id))
    .map(({ by }) => rich`and by ${who(readActor(by))}`);
}

function reason(text: string | null, label = 'Reason'): RichText[] {
  return text === null ? [] : [rich`${bold(label)}: ${shorten(visibleLine(text), MAX_REASON_LENGTH)}`];
}

/** The words of the person who approved, and whether the agent cannot read them. */
function note(approval: DecidedApproval): RichText[] {
  const text = noteOf(approval);
  if (text === null) return reason(approval.decision.reason);
  return [...reason(text, 'Note'), ...(makesNoteReach(approval) ? [] : [words(`⚠️ ${NO_NOTE}`)])];
}

/** States only what is known: a delivered answer does not mean that the tool ran. */
function acknowledgement(outcome: Acknowledgement): RichText {
  switch (outcome) {
    case 'gone':
      return rich`⚫ ${bold('Agent gone')}: it will not go on`;
    case 'answered':
      return rich`🔵 ${bold('Answered')}: the agent received it`;
    case 'resumed':
      return rich`🟢 ${bold('Agent resumed')}: it says that it went on`;
    case 'ran':
      return rich`🟢 ${bold('Ran')}: the agent reports that the tool ran`;
    case 'failed':
      return rich`🟠 ${bold('Failed')}: the agent reports that the tool failed`;
  }
}
