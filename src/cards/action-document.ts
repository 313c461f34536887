import { createHash } from 'node:crypto';
import type { ApprovalRequest } from '../approvals/approval';
import { piecesOf } from '../kernel/cut-text';
import type { Steps } from '../kernel/steps';
import type { ActionFile } from './action-file';
import type { ActionPart } from './action-part';
import { BLOCK_PREFIX, labelOf } from './action-parts';
import { askerOf, CLAIMED_AGENT } from './asker';
import { shortId } from './short-id';
import { makeVisible, visibleLine } from './visible-text/visible-text';

/** About a millisecond of work. */
const UNITS_IN_A_STEP = 128 * 1024;
/** Work of a part beside its text, as that of so many units. */
const UNITS_OF_A_PART = 128;

/**
 * UTF-8 text in two parts. The first is for reading, as a card shows it: every line of the action has a mark, so that
 * none can imitate a line of the document. The last line but one is JSON with the exact input for programs. Its
 * RFC 8785 form hashes to the input digest in the last line.
 *
 * @param written the files that the action writes and that come beside the document, which then only names them
 */
export function* makeActionDocument(
  request: ApprovalRequest,
  parts: readonly ActionPart[],
  written: ReadonlyMap<ActionPart, ActionFile>,
): Steps<ActionFile> {
  const { id, toolName, toolInput, cwd } = request;
  const metadata = yield* makeVisible(JSON.stringify(request.metadata), 'block');
  yield;
  const exact = yield* makeVisible(JSON.stringify({ cwd, toolInput, toolName }), 'json');
  const { before, after } = readingLines(request, metadata.shown);
  const pieces: Buffer[] = [];
  const write = function* (text: string, lineStart = ''): Steps<void> {
    for (const piece of piecesOf(text, UNITS_IN_A_STEP)) {
      pieces.push(encodeLines(piece, lineStart));
      if (piece.length >= UNITS_IN_A_STEP - 1) yield;
    }
  };
  yield* write(
    [`Countersign: everything that request ${shortId(id)} asks for`, '', ...before, ''].join('\n'),
  );
  for (const part of parts) {
    const { shown, layout } = part;
    yield* write(labelOf(part));
    const file = written.get(part);
    // Nobody sees hidden characters in the file itself.
    if (file && part.file?.content === shown)
      yield* write(`: in the document ${file.fileName}, SHA-256 ${file.sha256}`);
    else if (shown === '') yield* write(':');
    else if (layout === 'line') yield* write(`: ${shown}`);
    else {
      yield* write(`:\n${BLOCK_PREFIX}`);
      yield* write(shown, BLOCK_PREFIX);
    }
    yield* write('\n');
  }
  yield* write(
    [
      ...after,
      '',
      '=== Exact: one line of JSON, what cannot be seen written as JSON escapes, then the digest of its RFC 8785 form ===',
      '',
      '',
    ].join('\n'),
  );
  yield* write(exact.shown);
  yield* write(`\n${request.inputDigest}\n`);
  const hash = createHash('sha256');
  for (const piece of pieces) {
    hash.update(piece);
    if (piece.length >= UNITS_IN_A_STEP) yield;
  }
  const fileName = `action-${shortId(id)}.txt`;
  return { fileName, bytes: Buffer.concat(pieces), sha256: hash.digest('hex'), isWhole: true };
}

/** The complete request for reading as one text: the lines before the action, its lines, and those after it. */
export function* makeReadingText(
  request: ApprovalRequest,
  metadata: string,
  parts: readonly ActionPart[],
): Steps<string> {
  const { before, after } = readingLines(request, metadata);
  const pieces: string[] = [`${before.join('\n')}\n`];
  let units = 0;
  for (const part of parts) {
    const { shown, layout } = part;
    const isLine = layout === 'line' && shown !== '';
    pieces.push(labelOf(part), isLine ? ': ' : shown === '' ? ':' : `:\n${BLOCK_PREFIX}`);
    units += UNITS_OF_A_PART;
    for (const piece of piecesOf(shown, UNITS_IN_A_STEP)) {
      pieces.push(isLine ? piece : piece.replaceAll('\n', `\n${BLOCK_PREFIX}`));
      units += piece.length;
      if (units < UNITS_IN_A_STEP) continue;
      units = 0;
      yield;
    }
    pieces.push('\n');
  }
  pieces.push(after.join('\n'));
  return pieces.join('');
}

/**
 * The complete request for reading, before and after the lines of the action: for the document, and for the messages
 * that replace one.
 *
 * @param metadata in its visible form
 */
export function readingLines(
  request: ApprovalRequest,
  metadata: string,
): { before: readonly string[]; after: readonly string[] } {
  const { id, toolName, cwd } = request;
  return {
    before: [
      '=== For reading: what cannot be seen is written \\u{hex}, n of it in a row \\u{hex×n}, a tab ⇥ ===',
      '=== Every line of a text inside the action begins with │; a line without it is written by Countersign ===',
      '',
      `Tool: ${visibleLine(toolName)}`,
    ],
    after: [
      `Directory: ${cwd === null ? '(none given)' : visibleLine(cwd)}`,
      '',
      `Request: ${id}`,
      `Asked by: ${askerOf(request)}`,
      `${CLAIMED_AGENT}: ${visibleLine(request.agentId)}`,
      `Session: ${visibleLine(request.sessionId)}`,
      ...(request.summary === null ? [] : [`Summary by the agent: ${visibleLine(request.summary)}`]),
      `Metadata: ${metadata}`,
    ],
  };
}

const LINE_END = 0x0a;

/** The text in UTF-8, with `start` after every line end. A text in one piece would cost twice the time. */
function encodeLines(text: string, start: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (start === '') return bytes;
  const mark = Buffer.from(start, 'utf8');
  let ends = 0;
  for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) ends += 1;
  const marked = Buffer.allocUnsafe(bytes.length + ends * mark.length);
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    marked[to++] = byte;
    if (byte !== LINE_END) continue;
    for (let nth = 0; nth < mark.length; nth++) marked[to++] = mark[nth] as number;
  }
  return marked;
}
