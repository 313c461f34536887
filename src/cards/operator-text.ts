import type { Approval, ApprovalRequest } from '../approvals/approval';
import type { Actor, Person } from '../kernel/actor';
import type { DecisionCounts } from '../kernel/announcement';
import { nameOfClaimer } from '../kernel/claim';
import { actionLine } from './action-parts';
import { RESUME } from './announcement-text';
import { askerOf } from './asker';
import { renderCounts } from './digest-text';
import { timeLeft, utc } from './moments';
import { bold, code, join, rich, words, type RichText } from './rich-text';
import { shortId } from './short-id';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';
import { who } from './who';

/** Requests on one page of `/pending`: ten entries of two lines are readable and far below every limit. */
export const PENDING_PAGE_SIZE = 10;

const MAX_NAME_LENGTH = 60;
const MAX_PREVIEW_LENGTH = 120;

/** Data for `/status`. */
export interface ServiceStatus {
  /** Requests that nobody has decided yet. */
  readonly pending: number;
  /** Messages that still wait to be sent. */
  readonly unsent: number;
  /** Expiry of the next pending request; null if there is none. */
  readonly nextExpiry: Date | null;
}

/** A reply to a card that will expire soon. */
export function renderWarning(request: ApprovalRequest, now: Date): RichText {
  return join(
    [
      rich`⏳ ${bold('Nobody has decided yet')} on ${name(request.toolName)}`,
      asker(request),
      rich`It expires ${timeLeft(request.expiresAt, now)}, at ${words(utc(request.expiresAt))}. Then the agent is told that nobody answered.`,
      rich`${bold('Request')}: ${shortId(request.id)}`,
    ],
    '\n',
  );
}

/** A digest in place of cards that exceed the chat's budget; operators cannot approve from it. */
export function renderDigest(count: number): RichText {
  return join(
    [
      rich`📥 ${bold(`${count} more request${count === 1 ? ' waits' : 's wait'} for a decision`)}`,
      'That is more than this chat may show at once. Each gets its own card as soon as possible. /pending lists them.',
    ],
    '\n',
  );
}

/**
 * A page of requests in short form; operators decide on the card of each.
 *
 * @param page the requests, of which at most `PENDING_PAGE_SIZE` are shown
 * @param total number of all pending requests; null: the page has only those that wait for the reader
 */
export function renderPending(page: readonly ApprovalRequest[], total: number | null, now: Date): RichText {
  if (page.length === 0) return words(`✅ Nothing is waiting for ${total === null ? 'you' : 'a decision'}.`);
  const shown = page.slice(0, PENDING_PAGE_SIZE);
  const count = total !== null && shown.length < total ? `${shown.length} of ${total}` : String(shown.length);
  return join(
    [
      rich`📥 ${bold(total === null ? 'Waiting for you' : `Waiting for a decision: ${count}`)}`,
      ...shown.map(
        (request) =>
          rich`${shortId(request.id)} · ${name(request.toolName)} · expires ${timeLeft(request.expiresAt, now)}\n${asker(request)}\n${actionPreview(request)}`,
      ),
    ],
    '\n\n',
  );
}

/** Answer to `/claimed`: the newest requests of a page. */
export function renderClaimed(page: readonly Approval[], now: Date): RichText {
  if (page.length === 0) return words('🙋 Nobody is on a request that waits.');
  return join(
    [
      rich`🙋 ${bold('Somebody is on it')}`,
      ...page.flatMap((request) => {
        const { claim } = request;
        if (claim === undefined) return [];
        const what = claim.kind === 'claimed' ? 'is on it' : 'comes back to it';
        return [
          rich`${shortId(request.id)} · ${name(request.toolName)} · expires ${timeLeft(request.expiresAt, now)}\n${name(nameOfClaimer(claim))} ${words(what)} until ${words(utc(claim.until))}`,
        ];
      }),
    ],
    '\n\n',
  );
}

/** Text of a reply to a card, so that a tap on the quote leads to the card. */
export function renderHere(approvalId: string): RichText {
  return rich`👆 Request ${shortId(approvalId)}`;
}

export function renderReasonRefused(why: string): RichText {
  return words(`This was not taken as a reason: ${why}.`);
}

export function renderStatus({ pending, unsent, nextExpiry }: ServiceStatus, now: Date): RichText {
  return join(
    [
      rich`${bold('Waiting for a decision')}: ${pending}`,
      ...(nextExpiry
        ? [rich`${bold('Next to expire')}: ${timeLeft(nextExpiry, now)}, at ${words(utc(nextExpiry))}`]
        : []),
      rich`${bold('Messages not sent yet')}: ${unsent}`,
    ],
    '\n',
  );
}

/** The question before a stop. */
export function renderStopOffer(by: Person): RichText {
  return join(
    [
      rich`🛑 ${bold('Stop every rule that allows?')}`,
      'Everything that no rule denies then asks a person, on every replica, until an admin resumes the rules.',
      rich`Only ${who(by)} can confirm it, within a minute.`,
    ],
    '\n',
  );
}

/** The question, once it is answered. */
export function renderStopConfirmed(by: Person): RichText {
  return rich`🛑 ${who(by)} stopped every rule that allows.`;
}

/** Answer to `/stop` while a stop lasts. */
export function renderStopped(by: Actor, at: Date): RichText {
  return join(
    [
      rich`🛑 ${bold('The rules that allow are stopped already')}: everything that no rule denies asks a person.`,
      rich`By ${who(by)}, ${words(utc(at))}`,
      RESUME,
    ],
    '\n',
  );
}

/** Answer to `/today`. */
export function renderToday(counts: DecisionCounts): RichText {
  const since = rich`📊 ${bold('Today')}, since midnight UTC`;
  return join([since, renderCounts(counts) ?? 'Nothing was decided yet.'], '\n');
}

/** Answer to `/help`: short lines, since people read it on a phone. */
export function renderHelp(): RichText {
  return join(
    [
      bold('Countersign asks you before an agent acts.'),
      'A card shows the exact action. Approve lets it run. Reject, or no answer in time, does not.',
      'To say why, tap “Say why …” or reply to the card.',
      'On cards, \\u{hex} is a character that cannot be seen, \\u{hex×n} n of it, and ⇥ a tab.',
      '',
      '/pending – what waits',
      '/pending mine – what waits for you',
      '/claimed – what somebody is on',
      '/oncall – who is on duty',
      '/oncall me 4h – put yourself on duty',
      '/grants – open grants, to end them',
      '/today – decisions since midnight UTC',
      '/stop – suspend all that allows',
      '/status – how the service is doing',
      '/whoami – your id, and your rights',
      '/help – this text',
    ],
    '\n',
  );
}

/** Answer to a command whose answer takes too long. */
export function renderLate(): RichText {
  return words('⏳ The database is slow, so there is no answer yet. Send the command again in a minute.');
}

/** Answer to a command that failed. */
export function renderFailed(): RichText {
  return words(
    '⚠️ The database does not answer now, so nothing is known. Send the command again in a minute.',
  );
}

/** An answer with the warning that it is the last one of a minute. */
export function renderLastAnswer(answer: RichText): RichText {
  return join(
    [answer, '⏳ Further commands within this minute get no answer: cards need the room in this chat.'],
    '\n\n',
  );
}

export function renderWhoami(user: {
  readonly id: string;
  readonly name: string;
  readonly operator: boolean;
}): RichText {
  return join(
    [
      rich`👤 ${name(user.name)}, Telegram id ${user.id}`,
      user.operator
        ? '✅ You are an operator: you may decide.'
        : '🚫 You are not an operator: your taps have no effect.',
    ],
    '\n',
  );
}

/** Answer to a sender that writes as a group or a channel and so cannot be identified. */
export function renderAnonymous(): RichText {
  return join(
    [
      '👤 You write here as the group or as a channel, so you are anonymous: Telegram does not tell which person you are. Nothing that you write or tap like this counts.',
      'To be known, turn off “Remain anonymous” in your administrator rights (group info, Administrators, your name), or choose yourself as the sender beside the message field. Then send /whoami again.',
    ],
    '\n',
  );
}

/** Answer in a chat that strangers may read. */
export function renderElsewhere(): RichText {
  return words(
    '🔒 Countersign does not answer in this chat. Write to the bot directly, or in its configured chat.',
  );
}

/** Notice after an interruption of the connection longer than Telegram keeps taps (telegram.md 12). */
export function renderGapNotice(from: Date, to: Date, pending: number): RichText {
  return join(
    [
      rich`🔔 ${bold('Telegram was out of reach')} from ${words(utc(from))} to ${words(utc(to))}`,
      `Taps in that time may be lost. ${pending} request${pending === 1 ? ' waits' : 's wait'} for a decision: see /pending, and tap again where it matters.`,
    ],
    '\n',
  );
}

/** The beginning of the action in one line, with a mark if it is cut. Not sufficient for a decision. */
function actionPreview({ toolName, toolInput }: Pick<ApprovalRequest, 'toolName' | 'toolInput'>): RichText {
  const preview = actionLine(toolName, toolInput, MAX_PREVIEW_LENGTH);
  return preview === '' ? words('(empty)') : code(preview);
}

/** The API key and the agent's name; only once if both are the same. */
function asker(request: ApprovalRequest): RichText {
  const by = rich`Asked by ${askerOf(request)}`;
  return request.agentId === request.keyId ? by : rich`${by}, which calls itself ${name(request.agentId)}`;
}

function name(value: string): RichText {
  return shorten(visibleLine(value), MAX_NAME_LENGTH);
}
