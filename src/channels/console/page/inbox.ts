import { useSyncExternalStore } from 'react';
import type { components } from 'console-api';

/** A pending request, as an event brings it. */
export type Item = components['schemas']['InboxItemView'];

export interface Inbox {
  readonly state: 'connecting' | 'live' | 'offline';
  /** Null before the first answer; the request that ends first comes first. */
  readonly items: readonly Item[] | null;
  /** The request that arrived last. */
  readonly arrived: Item | null;
}

/** The events of the service, by their names. */
interface Events {
  readonly inbox: { readonly items: readonly Item[] };
  readonly asked: Item;
  readonly changed: Item;
  readonly settled: { readonly id: string };
  readonly 'crowded-out': { readonly id: string };
}

const RETRY_MS = 2_000;

const byEnd = (a: Item, b: Item): number =>
  a.expiresAt.localeCompare(b.expiresAt) || a.id.localeCompare(b.id);

/** Follows the pending requests by server-sent events, and reconnects by itself. */
export class InboxStream {
  private inbox: Inbox = { state: 'connecting', items: null, arrived: null };
  private readonly watchers = new Set<() => void>();
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;

  /** @param onRefused the service refused the connection: the session may have ended */
  constructor(private readonly onRefused: () => void) {}

  open(): void {
    if (this.source) return;
    const source = new EventSource('/api/events');
    this.source = source;
    source.onopen = () => this.set({ state: 'live' });
    source.onerror = () => {
      this.set({ state: 'offline' });
      // The browser reconnects with the last id by itself, except after a refusal.
      if (source.readyState !== EventSource.CLOSED) return;
      this.close();
      this.onRefused();
      this.retry = setTimeout(() => this.open(), RETRY_MS);
    };
    const on = <Name extends keyof Events>(name: Name, take: (data: Events[Name]) => void) =>
      source.addEventListener(name, ({ data }: MessageEvent<string>) =>
        take(JSON.parse(data) as Events[Name]),
      );
    on('inbox', ({ items }) => this.set({ state: 'live', items: items.toSorted(byEnd) }));
    on('asked', (item) =>
      this.set({ items: [...this.without(item.id), item].toSorted(byEnd), arrived: item }),
    );
    on('changed', (item) => this.set({ items: [...this.without(item.id), item].toSorted(byEnd) }));
    on('settled', ({ id }) => this.set({ items: this.without(id) }));
    on('crowded-out', ({ id }) => this.set({ items: this.without(id) }));
  }

  close(): void {
    if (this.retry !== null) clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly read = (): Inbox => this.inbox;

  private without(id: string): Item[] {
    return (this.inbox.items ?? []).filter((item) => item.id !== id);
  }

  private set(change: Partial<Inbox>): void {
    this.inbox = { ...this.inbox, ...change };
    for (const watcher of this.watchers) watcher();
  }
}

export const useInbox = (stream: InboxStream): Inbox => useSyncExternalStore(stream.subscribe, stream.read);
