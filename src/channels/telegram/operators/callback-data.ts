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
  | {
      readonly kind: 'page';
      readonly beforeId: string;
      /** True if it lists only what waits for the person who taps. */
      readonly isMine: boolean;
    }
  | { readonly kind: 'show'; readonly id: string };

const LIST_FORMAT = /^1:([pqs]):([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** Callback data with a plain id instead of a nonce, since the button decides nothing. */
export function listCallbackData(tap: ListTap): string {
  if (tap.kind === 'show') return `${VERSION}:s:${tap.id}`;
  return `${VERSION}:${tap.isMine ? 'q' : 'p'}:${tap.beforeId}`;
}

/** Parses the data of a list button; null for other data. */
export function parseListTap(data: string): ListTap | null {
  const [, action, id] = LIST_FORMAT.exec(data) ?? [];
  if (id === undefined) return null;
  return action === 's' ? { kind: 'show', id } : { kind: 'page', beforeId: id, isMine: action === 'q' };
}

const STOP_FORMAT = /^1:h:([A-Za-z0-9_-]{22})$/;

export const stopCallbackData = (nonce: string): string => `${VERSION}:h:${nonce}`;

/** The nonce of the button that confirms a stop; null for other data. */
export const parseStopTap = (data: string): string | null => STOP_FORMAT.exec(data)?.[1] ?? null;

const TAKE_BACK_FORMAT = /^1:b:([A-Za-z0-9_-]{22})$/;

export const takeBackCallbackData = (nonce: string): string => `${VERSION}:b:${nonce}`;

/** The nonce of the card whose decision its person takes back; null for other data. */
export const parseTakeBackTap = (data: string): string | null => TAKE_BACK_FORMAT.exec(data)?.[1] ?? null;

/** A button that decides nothing: the person is on it, comes back to it, or gives it more time. */
export interface ClaimTap {
  readonly kind: 'claim' | 'snooze' | 'more-time';
  readonly nonce: string;
}

const CLAIM_FORMAT = /^1:([lye]):([A-Za-z0-9_-]{22})$/;
const CLAIM_LETTER = { claim: 'l', snooze: 'y', 'more-time': 'e' } as const;
const CLAIM_KINDS = { l: 'claim', y: 'snooze', e: 'more-time' } as const;

export const claimCallbackData = ({ kind, nonce }: ClaimTap): string =>
  `${VERSION}:${CLAIM_LETTER[kind]}:${nonce}`;

/** Parses the data of a button that claims, snoozes or gives more time; null for other data. */
export function parseClaimTap(data: string): ClaimTap | null {
  const [, letter, nonce] = CLAIM_FORMAT.exec(data) ?? [];
  return nonce === undefined ? null : { kind: CLAIM_KINDS[letter as keyof typeof CLAIM_KINDS], nonce };
}

/** The ends of a grant, by the letter in the data of its button. */
export const GRANT_ENDS = {
  h: { seconds: 3600, uses: null, words: '1 h' },
  d: { seconds: 8 * 3600, uses: null, words: '8 h' },
  u: { seconds: 8 * 3600, uses: 20, words: '20 uses' },
} as const;

/** A button of grants: the offers of a card, one of them with its end, one repetition of its action, or the end of a grant. */
export type GrantTap =
  | { readonly kind: 'offers'; readonly nonce: string }
  | { readonly kind: 'once'; readonly nonce: string }
  | {
      readonly kind: 'make';
      readonly nonce: string;
      readonly offer: string;
      readonly end: keyof typeof GRANT_ENDS;
    }
  | { readonly kind: 'revoke'; readonly id: string };

const OFFERS_FORMAT = /^1:([go]):([A-Za-z0-9_-]{22})$/;
const MAKE_FORMAT = /^1:m:([A-Za-z0-9_-]{22}):([0-9a-f]{12}):([hdu])$/;
const REVOKE_FORMAT = /^1:v:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export function grantCallbackData(tap: GrantTap): string {
  switch (tap.kind) {
    case 'offers':
      return `${VERSION}:g:${tap.nonce}`;
    case 'once':
      return `${VERSION}:o:${tap.nonce}`;
    case 'make':
      return `${VERSION}:m:${tap.nonce}:${tap.offer}:${tap.end}`;
    case 'revoke':
      return `${VERSION}:v:${tap.id}`;
  }
}

/** Parses the data of a button of grants; null for other data. */
export function parseGrantTap(data: string): GrantTap | null {
  const [, letter, asked] = OFFERS_FORMAT.exec(data) ?? [];
  if (asked !== undefined) return { kind: letter === 'g' ? 'offers' : 'once', nonce: asked };
  const [, nonce, offer, end] = MAKE_FORMAT.exec(data) ?? [];
  if (nonce !== undefined && offer !== undefined)
    return { kind: 'make', nonce, offer, end: end as keyof typeof GRANT_ENDS };
  const [, id] = REVOKE_FORMAT.exec(data) ?? [];
  return id === undefined ? null : { kind: 'revoke', id };
}

/** Reasons that one tap gives, by the letter in the data of their button; the agent reads these words. */
export const PRESET_REASONS = {
  n: 'not now',
  s: 'ask for a smaller change',
  d: 'wrong directory',
  m: 'I will do it myself',
} as const;

/** A button that decides with words: the reasons of a card, one of them, or the words of a reply to the card. */
export type WordsTap =
  | { readonly kind: 'reasons'; readonly nonce: string }
  | { readonly kind: 'preset'; readonly nonce: string; readonly reason: keyof typeof PRESET_REASONS }
  /** `nonce`: of the reply. */
  | { readonly kind: 'reply'; readonly nonce: string; readonly verdict: Verdict };

const WORDS_FORMAT = /^1:(?:(w)|k([nsdm])|c([ar])):([A-Za-z0-9_-]{22})$/;

export function wordsCallbackData(tap: WordsTap): string {
  switch (tap.kind) {
    case 'reasons':
      return `${VERSION}:w:${tap.nonce}`;
    case 'preset':
      return `${VERSION}:k${tap.reason}:${tap.nonce}`;
    case 'reply':
      return `${VERSION}:c${tap.verdict === 'approved' ? 'a' : 'r'}:${tap.nonce}`;
  }
}

/** Parses the data of a button that decides with words; null for other data. */
export function parseWordsTap(data: string): WordsTap | null {
  const [, reasons, reason, verdict, nonce] = WORDS_FORMAT.exec(data) ?? [];
  if (nonce === undefined) return null;
  if (reasons !== undefined) return { kind: 'reasons', nonce };
  if (reason !== undefined) return { kind: 'preset', nonce, reason: reason as keyof typeof PRESET_REASONS };
  return { kind: 'reply', nonce, verdict: verdict === 'a' ? 'approved' : 'rejected' };
}

/** A button of the summary of a turn, about all calls that it shows. */
export interface TurnTap {
  readonly verdict: Verdict;
  readonly nonce: string;
  /** {@link shortDigest} of the calls. */
  readonly calls: string;
}

const TURN_FORMAT = /^1:([tn]):([A-Za-z0-9_-]{22}):([0-9a-f]{32})$/;

/** The first 128 bits of a digest, as hex: callback data holds no more. */
export const shortDigest = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 32);

export const turnCallbackData = ({ verdict, nonce, calls }: TurnTap): string =>
  `${VERSION}:${verdict === 'approved' ? 't' : 'n'}:${nonce}:${calls}`;

/** Parses the data of a button of a turn; null for other data. */
export function parseTurnTap(data: string): TurnTap | null {
  const [, action, nonce, calls] = TURN_FORMAT.exec(data) ?? [];
  if (nonce === undefined || calls === undefined) return null;
  return { verdict: action === 't' ? 'approved' : 'rejected', nonce, calls };
}

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
