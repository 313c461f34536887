import { dataOf } from '../audit-chain';
import type { SealedRow } from '../seal';

/**
 * One row as a line without its end. `number` has no gap, so that a reader sees what is missing; what arrives twice has
 * the same number and hash.
 */
export function streamLine({ seal: { number, seq, hash }, row }: SealedRow): string {
  // Somebody removed the row and left its seal; the reader is told, as `verify` would tell.
  if (row === null) return JSON.stringify({ number, seq, missing: true, hash });
  const { at, type, actor, approvalId, correlationId } = row;
  return JSON.stringify({ number, seq, at, type, actor, approvalId, correlationId, data: dataOf(row), hash });
}
