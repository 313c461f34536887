import { createHash } from 'node:crypto';
import type { ApprovalRequest } from '../approvals/approval';
import { cutText } from '../kernel/cut-text';
import type { Steps } from '../kernel/steps';
import type { ActionPart } from './action-part';
import { BLOCK_PREFIX, labelOf } from './action-parts';
import { askerOf, CLAIMED_AGENT } from './asker';
import { shortId } from './short-id';
import { makeVisible, visibleLine } from './visible-text/visible-text';

/** The complete action as a file, for when a message cannot hold it. */
export interface ActionDocument {
  readonly fileName: string;
  readonly bytes: Buffer;
  /** Lower-case hex. */
  readonly sha256: string;
}

const UNITS_IN_A_STEP = 32 * 1024;

/**
 * UTF-8 text in two parts. The first is for reading, as a card shows it: every line of the action has a mark, so that
 * none can imitate a line of the document. The last line but one is JSON with the exact input for programs. Its
 * RFC 8785 form hashes to the input digest in the last line.
 *
 * @param text the action's parts, from `makeActionText`
 */
export function* makeActionDocument(request: ApprovalRequest, text: string): Steps<ActionDocument> {
  const { id, toolName, toolInput, cwd } = request;
  const metadata = yield* makeVisible(JSON.stringify(request.metadata), 'block');
  yield;
  const exact = yield* makeVisible(JSON.stringify({ cwd, toolInput, toolName }), 'json');
  const texts = [
    `Countersign: everything that request ${shortId(id)} asks for`,
    '',
    ...readingLines(request, text, metadata.shown),
    '',
    '=== Exact: one line of JSON, what cannot be seen written as JSON escapes, then the digest of its RFC 8785 form ===',
    '',
    exact.shown,
    request.inputDigest,
    '',
  ];
  const hash = createHash('sha256');
  const pieces: Buffer[] = [];
  for (const piece of piecesOf(texts)) {
    const bytes = Buffer.from(piece, 'utf8');
    pieces.push(bytes);
    hash.update(bytes);
    if (piece.length >= UNITS_IN_A_STEP - 1) yield;
  }
  return { fileName: `action-${shortId(id)}.txt`, bytes: Buffer.concat(pieces), sha256: hash.digest('hex') };
}

/**
 * The complete request for reading: for the document, and for the messages that replace one.
 *
 * @param text the action's parts, from `makeActionText`
 * @param metadata in its visible form
 */
export function readingLines(request: ApprovalRequest, text: string, metadata: string): string[] {
  const { id, toolName, cwd } = request;
  return [
    '=== For reading: what cannot be seen is written \\u{hex}, n of it in a row \\u{hex×n}, a tab ⇥ ===',
    '=== Every line of a text inside the action begins with │; a line without it is written by Countersign ===',
    '',
    `Tool: ${visibleLine(toolName)}`,
    text,
    `Directory: ${cwd === null ? '(none given)' : visibleLine(cwd)}`,
    '',
    `Request: ${id}`,
    `Asked by: ${askerOf(request)}`,
    `${CLAIMED_AGENT}: ${visibleLine(request.agentId)}`,
    `Session: ${visibleLine(request.sessionId)}`,
    ...(request.summary === null ? [] : [`Summary by the agent: ${visibleLine(request.summary)}`]),
    `Metadata: ${metadata}`,
  ];
}

/** The whole action as lines of plain text, like `actionLines`, in steps. */
export function* makeActionText(parts: readonly ActionPart[]): Steps<string> {
  const pieces: string[] = [];
  for (const part of parts) {
    if (pieces.length > 0) pieces.push('\n');
    pieces.push(labelOf(part));
    if (part.shown === '') pieces.push(':');
    else if (part.layout === 'line') pieces.push(': ', part.shown);
    else {
      pieces.push(`:\n${BLOCK_PREFIX}`);
      for (let at = 0; at < part.shown.length; at += UNITS_IN_A_STEP) {
        // Much faster than replaceAll, which creates a tree of tiny strings.
        pieces.push(
          part.shown
            .slice(at, at + UNITS_IN_A_STEP)
            .split('\n')
            .join(`\n${BLOCK_PREFIX}`),
        );
        if (at > 0) yield;
      }
    }
  }
  return pieces.join('');
}

/** The texts as lines, in bounded pieces. No piece ends within a surrogate pair. */
function* piecesOf(texts: readonly string[]): Generator<string> {
  for (const [index, text] of texts.entries()) {
    const line = index === 0 ? text : `\n${text}`;
    for (let at = 0; at < line.length;) {
      const piece = cutText(line.slice(at, at + UNITS_IN_A_STEP + 1), UNITS_IN_A_STEP);
      yield piece;
      at += piece.length;
    }
  }
}
