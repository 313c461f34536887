import { canonicalize, sha256Hex } from '../kernel/canonical-json';
import type { JsonValue } from '../kernel/json';
import { parseStrictJson } from '../kernel/strict-json';
import { sealContent, type AuditRow, type Seal } from './seal';

/** `sha256:` and the hex SHA-256 of the RFC 8785 form of the row, its place in the chain and the hash before it. */
export function sealHash(number: number, previous: string, row: AuditRow): string {
  return `sha256:${sha256Hex(canonicalize(sealContent(number, previous, row)))}`;
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
