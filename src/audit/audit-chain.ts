import { canonicalize, sha256Hex } from '../kernel/canonical-json';
import type { JsonValue } from '../kernel/json';
import { parseStrictJson } from '../kernel/strict-json';

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

/** The `previous` hash of the first seal. */
export const NOTHING_BEFORE = `sha256:${'0'.repeat(64)}`;

/** `sha256:` and the hex SHA-256 of the RFC 8785 form of the row, its place in the chain and the hash before it. */
export function sealHash(number: number, previous: string, row: AuditRow): string {
  return `sha256:${sha256Hex(canonicalize({ number, previous, row: { ...row } }))}`;
}

/** Seals rows in this order after the last seal. */
export function sealAll(last: Pick<Seal, 'number' | 'hash'>, rows: readonly AuditRow[]): Seal[] {
  let { number, hash } = last;
  return rows.map((row) => {
    const previous = hash;
    hash = sealHash(++number, previous, row);
    return { number, seq: row.seq, previous, hash };
  });
}

/** Parses the data of a row for display; returns the text itself if it is not JSON. */
export function dataOf({ data }: AuditRow): JsonValue {
  try {
    return parseStrictJson(data);
  } catch {
    // The service never writes such text, but a reader of the log must see it all the same.
    return data;
  }
}
