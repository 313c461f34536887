/** One row of the audit log, with every column. */
export interface AuditRow {
  readonly seq: number;
  /** RFC 3339 in UTC, with microseconds as in the database. */
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly approvalId: string | null;
  readonly correlationId: string | null;
  /** JSON, exactly as stored. */
  readonly data: string;
}

/** Ties a row to everything that was sealed before it. */
export interface Seal {
  readonly number: number;
  readonly seq: number;
  readonly previous: string;
  readonly hash: string;
}

/** A seal with its row; null if the row is gone. */
export interface SealedRow {
  readonly seal: Seal;
  readonly row: AuditRow | null;
}

/** The `previous` hash of the first seal. */
export const NOTHING_BEFORE = `sha256:${'0'.repeat(64)}`;

/** The `typ` in the header of a checkpoint, so that it never passes for a receipt. */
export const CHECKPOINT_TYPE = 'countersign-checkpoint+jwt';

/** The content of a seal. Its hash is `sha256:` and the hex SHA-256 of the RFC 8785 form of this. */
export function sealContent(number: number, previous: string, row: AuditRow) {
  return { number, previous, row: { ...row } };
}
