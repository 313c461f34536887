import type { Approval } from '../approvals/approval';
import { labelActor } from '../kernel/actor';
import { cardContent, type CardContent } from './card-body';
import { expiry } from './card-text';
import { bold, fold, join, rich, words, type RichText, type Span } from './rich-text';
import { shorten } from './shorten';
import { showWhole } from './show-parts';
import { count, nameOf, pathOf } from './titles';
import { visibleLine } from './visible-text/visible-text';

/** A call of a turn. */
export interface TurnCall {
  readonly number: number;
  readonly approval: Approval;
  /** True if files before its card hold what the card cannot. */
  readonly hasFiles: boolean;
}

const MAX_NAME_LENGTH = 60;
const MAX_PLACE_LENGTH = 100;

/** Telegram formats at most 100 pieces of a message; the rest would lose the formats that keep texts of callers apart. */
const MAX_FORMATS = 95;

const SIGNS = { approved: '✅', rejected: '❌', expired: '⌛', cancelled: '🚫' } as const;

/** A call with its card's content, and its action; null: it is elsewhere. */
interface Row extends TurnCall {
  readonly content: CardContent;
  readonly action: RichText | null;
  readonly warnings: readonly RichText[];
}

const WARNINGS_ELSEWHERE: readonly RichText[] = [rich`🚨 ${bold('Read the warnings on its card')}`];

/**
 * The summary of a turn: each call with its number, its effect in words, and its action. Where the actions do not fit together,
 * the longest are left to their documents and cards, which stand in the chat before it; then the warnings, too.
 */
export function renderTurn(calls: readonly TurnCall[], limit: number): RichText {
  let rows = calls.map((call): Row => {
    const content = cardContent(call.approval, limit);
    // Without a document the card holds it, so it may fit here.
    const fits = isPending(call) && content.documents === null;
    const { warnings } = content;
    return { ...call, content, action: fits ? wholeAction(content) : null, warnings };
  });
  for (;;) {
    const message = compose(rows);
    const longest = Math.max(...rows.map(lengthOf));
    const fits = message.text.length <= limit && countFormats(message.spans) <= MAX_FORMATS;
    if (fits) return message;
    if (longest < 0) return compose(rows.map(leaveWarnings));
    rows = rows.map((row) => (lengthOf(row) === longest ? { ...row, action: null } : row));
  }
}

/** First what a card shows, then what the title has already; a fold shows only its first lines. */
function wholeAction({ parts }: CardContent): RichText {
  const details = parts.filter(({ isDetail }) => isDetail);
  const action = parts.filter(({ isDetail }) => !isDetail);
  return join([...showWhole(action), ...showWhole(details)], '\n');
}

const isPending = ({ approval }: TurnCall): boolean => approval.status === 'pending';

const leaveWarnings = (row: Row): Row =>
  row.warnings.length === 0 ? row : { ...row, warnings: WARNINGS_ELSEWHERE };

const lengthOf = ({ action }: Row): number => action?.text.length ?? -1;

function compose(rows: readonly Row[]): RichText {
  const pending = rows.filter(isPending);
  const isOnePlace = new Set(pending.map(({ approval: { cwd } }) => cwd)).size === 1;
  return join(
    [
      headingOf(rows.length, pending.length),
      ...rows.flatMap((row) => (isPending(row) ? waitingLines(row, !isOnePlace) : [endedLine(row)])),
      ...closingOf(pending, isOnePlace),
    ],
    '\n',
  );
}

function headingOf(all: number, pending: number): RichText {
  if (pending === 0) return rich`🧩 ${bold(`${count(all, 'call')} of one turn`)}: nothing waits any more`;
  if (pending === 1) return rich`🧩 ${bold('1 call of the turn waits')}: decide it on its card`;
  return rich`🧩 ${bold(`${pending} calls wait together`)}`;
}

function waitingLines(row: Row, needsPlace: boolean): RichText[] {
  const { number, content, action, approval, warnings } = row;
  const place = needsPlace && approval.cwd !== null ? [placeOf(approval.cwd)] : [];
  return [
    rich`${bold(`${number}.`)} ${content.title}`,
    ...warnings,
    ...(action === null ? [elsewhere(row), ...place] : [fold(join([action, ...place], '\n'))]),
  ];
}

/** The place of the complete action, which does not fit here. */
function elsewhere({ hasFiles }: TurnCall): RichText {
  return words(`📄 Complete ${hasFiles ? 'in its document' : 'on its card'} above`);
}

function endedLine({ number, approval, content: { title } }: Row): RichText {
  if (approval.status === 'pending') throw new Error('a pending call has not ended');
  const by = 'decision' in approval ? approval.decision.by : approval.by;
  const actor =
    approval.status === 'expired' ? words('') : rich` by ${nameOf(labelActor(by), MAX_NAME_LENGTH)}`;
  return rich`${bold(`${number}.`)} ${words(SIGNS[approval.status])} ${title}: ${words(approval.status)}${actor}`;
}

const placeOf = (cwd: string): RichText =>
  rich`${bold('Directory')}: ${shorten(visibleLine(cwd), MAX_PLACE_LENGTH)}`;

function closingOf(pending: readonly TurnCall[], isOnePlace: boolean): RichText[] {
  const [first] = pending.toSorted((a, b) => a.approval.expiresAt.getTime() - b.approval.expiresAt.getTime());
  if (first === undefined) return [];
  const { agentId, cwd } = first.approval;
  const agent = nameOf(agentId);
  return [isOnePlace && cwd !== null ? rich`${agent} · ${pathOf(cwd, null)}` : agent, expiry(first.approval)];
}

function countFormats(spans: readonly Span[]): number {
  return spans.reduce(
    (sum, span) =>
      sum + (span.kind === 'fold' ? 1 + countFormats(span.spans) : span.kind === 'words' ? 0 : 1),
    0,
  );
}
