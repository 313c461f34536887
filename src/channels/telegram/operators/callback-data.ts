import { randomBytes } from 'node:crypto';
import type { Verdict } from '../../../approvals/approval';

/** Bound to one card; 128 bits cannot be guessed (telegram.md 13). */
const NONCE_BYTES = 16;
const VERSION = '1';
const FORMAT = /^1:([arx]):([A-Za-z0-9_-]{22})$/;

export interface Tap {
  readonly verdict: Verdict;
  readonly nonce: string;
  /** True if the card shows or has attached the whole action; else it can only be rejected. */
  readonly complete: boolean;
}

/** A button under the list of pending requests: the next page, or one request's card. */
export type ListTap =
  { readonly kind: 'page'; readonly beforeId: string } | { readonly kind: 'show'; readonly id: string };

const LIST_FORMAT = /^1:([ps]):([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** Callback data with a plain id instead of a nonce, since the button decides nothing. */
export function listCallbackData(tap: ListTap): string {
  return tap.kind === 'page' ? `${VERSION}:p:${tap.beforeId}` : `${VERSION}:s:${tap.id}`;
}

/** Parses the data of a list button; null for other data. */
export function parseListTap(data: string): ListTap | null {
  const [, action, id] = LIST_FORMAT.exec(data) ?? [];
  if (id === undefined) return null;
  return action === 'p' ? { kind: 'page', beforeId: id } : { kind: 'show', id };
}

const STOP_FORMAT = /^1:h:([A-Za-z0-9_-]{22})$/;

export const stopCallbackData = (nonce: string): string => `${VERSION}:h:${nonce}`;

/** The nonce of the button that confirms a stop; null for other data. */
export const parseStopTap = (data: string): string | null => STOP_FORMAT.exec(data)?.[1] ?? null;

export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64url');
}

export function callbackData({ verdict, nonce, complete }: Tap): string {
  return `${VERSION}:${verdict === 'approved' ? 'a' : complete ? 'r' : 'x'}:${nonce}`;
}

/** Parses the data of a card's button; null for other data. */
export function parseCallbackData(data: string): Tap | null {
  const [, action, nonce] = FORMAT.exec(data) ?? [];
  if (nonce === undefined) return null;
  return { verdict: action === 'a' ? 'approved' : 'rejected', nonce, complete: action !== 'x' };
}
