import { randomBytes } from 'node:crypto';
import type { Verdict } from '../approvals/approval';

/** Bound to one card; 128 bits cannot be guessed (telegram.md 13). */
const NONCE_BYTES = 16;
const VERSION = '1';
const FORMAT = /^1:([ar]):([A-Za-z0-9_-]{22})$/;

export interface Tap {
  readonly verdict: Verdict;
  readonly nonce: string;
}

export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64url');
}

export function callbackData({ verdict, nonce }: Tap): string {
  return `${VERSION}:${verdict === 'approved' ? 'a' : 'r'}:${nonce}`;
}

/** Null for anything that is not of our making. */
export function parseCallbackData(data: string): Tap | null {
  const [, action, nonce] = FORMAT.exec(data) ?? [];
  return nonce === undefined ? null : { verdict: action === 'a' ? 'approved' : 'rejected', nonce };
}
