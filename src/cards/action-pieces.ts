import type { ApprovalRequest } from '../approvals/approval';
import { sha256Hex } from '../kernel/canonical-json';
import { runAtOnce } from '../kernel/steps';
import { makeReadingText } from './action-document';
import { BLOCK_PREFIX } from './action-parts';
import type { ActionPart } from './action-part';
import { cardContent } from './card-body';
import { safeCut } from './excerpt';
import { join, pre, words, type RichText } from './rich-text';
import { shortId } from './short-id';

/** More messages would use up a group's limit for a minute, and nobody would read them. */
export const MAX_PIECES = 8;
/** Reserved for the lines around a piece. */
const FRAME_LENGTH = 200;

/** The complete action as text messages, for a chat that takes no files. */
export interface ActionPieces {
  readonly messages: readonly RichText[];
  /** Digest of the texts of all messages, joined by newlines; lower-case hex. */
  readonly sha256: string;
}

/**
 * The action's messages, each of at most `limit` UTF-16 units; null if there would be too many: {@link piecesNeeded}. Null
 * also for data that is not text: a message cannot hold it.
 */
export function actionPieces(request: ApprovalRequest, limit: number): ActionPieces | null {
  if (hasMedia(request, limit)) return null;
  const length = limit - FRAME_LENGTH;
  const { texts, metadata } = cardContent(request, limit);
  if (shownUnits(texts) > MAX_PIECES * length) return null;
  // Here the text is known to be short.
  const text = runAtOnce(makeReadingText(request, metadata ?? '{}', texts));
  if (text.length > MAX_PIECES * length) return null;
  const pieces = cut(text, length);
  if (pieces.length > MAX_PIECES) return null;
  const messages = pieces
    .map((piece, i) => frame(request.id, piece, i + 1, pieces.length))
    // The lines have marks already, and the text in the chat must be the signed one.
    .map((message) => ({ ...message, plain: message.text }));
  return { messages, sha256: sha256Hex(messages.map((message) => message.text).join('\n')) };
}

/** True for an action with data that only files can hold. */
export function hasMedia(request: ApprovalRequest, limit: number): boolean {
  return cardContent(request, limit).media.length > 0;
}

/** Approximate number of messages for the complete action. */
export function piecesNeeded(request: ApprovalRequest, limit: number): number {
  const { texts, metadata } = cardContent(request, limit);
  const lines = texts.reduce((sum, part) => sum + part.lines, 0);
  const units = shownUnits(texts) + lines * BLOCK_PREFIX.length + (metadata ?? '').length;
  return Math.ceil(units / (limit - FRAME_LENGTH));
}

const shownUnits = (parts: readonly ActionPart[]): number =>
  parts.reduce((sum, { shown }) => sum + shown.length, 0);

interface Piece {
  readonly text: string;
  /** True if the last line continues in the next message. */
  readonly inLine: boolean;
}

/** Cuts at line ends if the message is then at least half full, else within a line; never inside an escape. */
function cut(text: string, length: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < text.length;) {
    // A continued line needs a mark, so that it cannot imitate a line of the card.
    const mark = pieces.at(-1)?.inLine ? '…' : '';
    const rest = text.slice(from, from + length + 1);
    if (rest.length <= length) return [...pieces, { text: `${mark}${rest}`, inLine: false }];
    const newline = rest.lastIndexOf('\n');
    const inLine = newline < length / 2;
    const end = inLine ? safeCut(text, from + length) : from + newline;
    pieces.push({ text: `${mark}${text.slice(from, end)}`, inLine });
    from = inLine ? end : end + 1;
  }
  return pieces;
}

/** Puts a line of the card before and after the piece, since Telegram trims white space at both ends. */
function frame(id: string, { text, inLine }: Piece, number: number, count: number): RichText {
  const place = `${number} of ${count}`;
  return join(
    [
      words(`📄 Everything that request ${shortId(id)} asks for, message ${place}`),
      pre(text),
      words(
        number === count
          ? `End of message ${place}. The card with the buttons follows.`
          : inLine
            ? `End of message ${place}: its last line goes on, without a break, in the next one.`
            : `End of message ${place}.`,
      ),
    ],
    '\n',
  );
}
