import type { NamedReader } from '../../approvals/approval-store';
import type { Reader } from '../../kernel/viewer';
import type { InboxItem } from './inbox-item';

export type InboxEvent =
  | { readonly event: 'inbox'; readonly data: { readonly items: readonly InboxItem[] } }
  | { readonly event: 'asked' | 'changed'; readonly data: InboxItem }
  | { readonly event: 'settled' | 'crowded-out'; readonly data: { readonly id: string } };

/** The people who see a request; null: everybody. */
export type Readers = readonly NamedReader[] | null;

export const NOBODY: Readers = [];

/** A change of one request, with those who saw it before and those who see it now. */
export interface Change {
  readonly event: Exclude<InboxEvent, { readonly event: 'inbox' }>;
  readonly before: Readers;
  readonly now: Readers;
}

export const mayRead = (readers: Readers, reader: Reader): boolean =>
  readers === null ||
  readers.some(({ person, asAdmin }) => person === reader.person && (reader.mayBeAdmin || !asAdmin));

/** The change as one person gets it; null: it is about a request that they do not see. */
export function eventFor(reader: Reader, { event, before, now }: Change): Change['event'] | null {
  const saw = mayRead(before, reader);
  const isShown = event.event === 'asked' || event.event === 'changed';
  if (isShown && mayRead(now, reader)) return saw ? event : { event: 'asked', data: event.data };
  if (!saw) return null;
  return isShown ? { event: 'crowded-out', data: { id: event.data.id } } : event;
}
