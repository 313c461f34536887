import { nameActor } from '../kernel/actor';
import { isSettled, type Approval } from './approval';

const COLUMNS = [
  'id',
  'status',
  'createdAt',
  'settledAt',
  'agentId',
  'sessionId',
  'toolName',
  'toolInput',
  'cwd',
  'decidedBy',
  'reason',
  'inputDigest',
] as const;

/** Characters of an input in a cell: spreadsheets cut cells at 32 767. */
const MAX_CELL = 30_000;

/** Spreadsheets run a cell that begins so as a formula, also after white space. */
const FORMULA = /^\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/** A cell of RFC 4180. A text that a spreadsheet would run begins with an apostrophe. */
export function csvCell(text: string): string {
  const cut = text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text;
  const safe = FORMULA.test(cut) ? `'${cut}` : cut;
  return `"${safe.replaceAll('"', '""')}"`;
}

const row = (cells: readonly string[]): string => `${cells.map(csvCell).join(',')}\r\n`;

export const CSV_HEAD = row(COLUMNS);

/** One request as a line of CSV. */
export function csvLine(approval: Approval): string {
  const decision = 'decision' in approval ? approval.decision : null;
  const cells: Record<(typeof COLUMNS)[number], string | null> = {
    id: approval.id,
    status: approval.status,
    createdAt: approval.createdAt.toISOString(),
    settledAt: isSettled(approval) ? approval.settledAt.toISOString() : null,
    agentId: approval.agentId,
    sessionId: approval.sessionId,
    toolName: approval.toolName,
    toolInput: JSON.stringify(approval.toolInput),
    cwd: approval.cwd,
    decidedBy: decision && nameActor(decision.by).name,
    reason: decision ? decision.reason : null,
    inputDigest: approval.inputDigest,
  };
  return row(COLUMNS.map((name) => cells[name] ?? ''));
}
