import type { ApprovalRequest } from '../approvals/approval';
import { sha256Hex } from '../kernel/canonical-json';
import { actionLines, type ActionPart } from './action-parts';
import { shortId } from './short-id';
import { visibleBlock, visibleJson, visibleLine } from './visible-text';

/** The complete action as a file, for when a message cannot hold it. */
export interface ActionDocument {
  readonly fileName: string;
  readonly bytes: Buffer;
  /** Lower-case hex. */
  readonly sha256: string;
}

/**
 * UTF-8 text in two parts: for reading, as a card shows it, every line of the action marked so that none passes for one
 * of the document; and, as the last line but one, JSON from which a program gets the very input back (its RFC 8785
 * form hashes to the input digest in the last line).
 */
export function actionDocument(request: ApprovalRequest, parts: readonly ActionPart[]): ActionDocument {
  const { id, toolName, toolInput, cwd } = request;
  const lines = [
    `Countersign: everything that request ${shortId(id)} asks for`,
    '',
    '=== For reading: what cannot be seen is written \\u{hex}, n of it in a row \\u{hex×n}, a tab ⇥ ===',
    '=== Every line of a text inside the action begins with │; a line without it is written by Countersign ===',
    '',
    `Tool: ${visibleLine(toolName)}`,
    ...actionLines(parts),
    `Directory: ${cwd === null ? '(none given)' : visibleLine(cwd)}`,
    '',
    `Request: ${id}`,
    `Agent: ${visibleLine(request.agentId)}`,
    `Session: ${visibleLine(request.sessionId)}`,
    ...(request.summary === null ? [] : [`Summary by the agent: ${visibleLine(request.summary)}`]),
    `Metadata: ${visibleBlock(JSON.stringify(request.metadata))}`,
    '',
    '=== Exact: one line of JSON, what cannot be seen written as JSON escapes, then the digest of its RFC 8785 form ===',
    '',
    visibleJson(JSON.stringify({ cwd, toolInput, toolName })),
    request.inputDigest,
    '',
  ];
  const bytes = Buffer.from(lines.join('\n'), 'utf8');
  return { fileName: `action-${shortId(id)}.txt`, bytes, sha256: sha256Hex(bytes) };
}
