import { randomBytes } from 'node:crypto';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventBus, QueryBus } from '@nestjs/cqrs';
import {
  ApprovalClaimed,
  ApprovalEnqueued,
  ApprovalExtended,
  ApprovalSettled,
} from '../../approvals/approval-events';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { FindPendingQuery } from '../../approvals/queries/find-pending';
import { DomainError } from '../../kernel/errors';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { inboxItemOf, type InboxItem } from './inbox-item';

/** Interval of the look at what other replicas stored, while a console is open here. */
const LOOK_MS = 250;
/** Changes by this replica, which its consoles see before the next look. */
const LOOKED_AT = [ApprovalEnqueued, ApprovalSettled, ApprovalClaimed, ApprovalExtended] as const;
/** An inbox shows this many requests; if there are more, an equal part of each key, those that end first. */
const MAX_ITEMS = 1_000;
/** Events that a console may have missed and still get one by one; after more it gets the whole inbox. */
const MAX_KEPT = 1_000;

export type InboxEvent =
  | { readonly event: 'inbox'; readonly data: { readonly items: readonly InboxItem[] } }
  | { readonly event: 'asked' | 'changed'; readonly data: InboxItem }
  | { readonly event: 'settled' | 'crowded-out'; readonly data: { readonly id: string } };

type Gone = Extract<InboxEvent, { readonly event: 'settled' | 'crowded-out' }>;

interface Numbered {
  readonly number: number;
  readonly event: InboxEvent;
}

/** Receives an event, and the id from which a console resumes after it. */
export type Listener = (event: InboxEvent, id: string) => void;

/**
 * Keeps the inbox of all consoles that are open on this replica: the database is asked once for all of them, and not at
 * all while none is open. The difference between two looks gives the events, so nothing is missed that a notification
 * could lose. A request of this replica is looked at when it is stored.
 */
@Injectable()
export class InboxFeed implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly listeners = new Set<Listener>();
  /** Null before the first look. */
  private items: Map<string, InboxItem> | null = null;
  /** The mark of each item when it was read. */
  private readonly marks = new Map<string, string>();
  private kept: Numbered[] = [];
  /** Number of the last event, in a row that begins anew with the first console. */
  private number = 0;
  private row = '';
  private timer: NodeJS.Timeout | null = null;
  private readonly failures: FailureLog;

  constructor(
    private readonly queries: QueryBus,
    private readonly events: EventBus,
    private readonly finished: FinishedApprovals,
    log: Log,
  ) {
    this.failures = new FailureLog(
      log,
      { event: 'console.inbox-unreadable', message: 'the inbox of the consoles cannot be read' },
      { event: 'console.inbox-readable', message: 'the inbox of the consoles can be read again' },
    );
  }

  onApplicationBootstrap(): void {
    this.events.subscribe((event) => {
      if (LOOKED_AT.some((type) => event instanceof type)) this.lookSoon();
    });
  }

  onModuleDestroy(): void {
    this.listeners.clear();
    this.stop();
  }

  /**
   * Sends the events after the one with the id, or first the whole inbox if they are not known any more, and then every
   * further event.
   *
   * @returns a function that ends it
   */
  listen(listener: Listener, lastId: string | null): () => void {
    this.listeners.add(listener);
    if (this.timer === null) this.start();
    else if (this.items) this.catchUp(listener, this.items, lastId);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stop();
    };
  }

  private start(): void {
    this.row = randomBytes(6).toString('hex');
    this.number = 0;
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    void this.look();
  }

  private stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.items = null;
    this.marks.clear();
    this.kept = [];
  }

  private catchUp(listener: Listener, items: ReadonlyMap<string, InboxItem>, lastId: string | null): void {
    const [row, number] = lastId?.split('-') ?? [];
    const after = Number(number);
    const isKnown = row === this.row && after <= this.number && this.number - after <= this.kept.length;
    const missed = isKnown ? this.kept.filter((each) => each.number > after) : [this.wholeInbox(items)];
    for (const { number: at, event } of missed) listener(event, this.idOf(at));
  }

  private wholeInbox(items: ReadonlyMap<string, InboxItem>): Numbered {
    return { number: this.number, event: { event: 'inbox', data: { items: [...items.values()] } } };
  }

  private lookSoon(): void {
    if (this.timer !== null) setImmediate(() => void this.look());
  }

  /** A call during a look joins it; the next one comes soon. Never rejects. */
  private readonly look = singleFlight(() =>
    this.compare().then(
      () => this.failures.succeed(),
      (error: unknown) => this.failures.fail(error),
    ),
  );

  private async compare(): Promise<void> {
    const row = this.row;
    const found = await this.queries.execute(new FindPendingQuery(MAX_ITEMS));
    const known = this.items ?? new Map<string, InboxItem>();
    const read: { readonly item: InboxItem; readonly mark: string }[] = [];
    for (const { id, mark } of found) {
      const item = known.has(id) && this.marks.get(id) === mark ? null : await this.read(id);
      if (item) read.push({ item, mark });
    }
    const pending = new Set(found.map(({ id }) => id));
    const gone: Gone[] = [];
    for (const id of known.keys()) {
      if (pending.has(id)) continue;
      // Outside a full list it may still be pending.
      const isCrowdedOut = found.length >= MAX_ITEMS && (await this.isPending(id));
      gone.push({ event: isCrowdedOut ? 'crowded-out' : 'settled', data: { id } });
    }
    if (this.timer === null || row !== this.row) return;
    for (const { item, mark } of read) this.marks.set(item.id, mark);
    if (this.items === null) {
      this.items = new Map(read.map(({ item }) => [item.id, item]));
      for (const listener of this.listeners) this.catchUp(listener, this.items, null);
      return;
    }
    for (const event of gone) {
      known.delete(event.data.id);
      this.marks.delete(event.data.id);
      this.publish(event);
    }
    for (const { item } of read) {
      const event = known.has(item.id) ? 'changed' : 'asked';
      known.set(item.id, item);
      this.publish({ event, data: item });
    }
  }

  private async isPending(id: string): Promise<boolean> {
    try {
      return (await this.finished.stateOf(id, 'everything')).status === 'pending';
    } catch (error) {
      if (error instanceof DomainError && error.code === 'approval.not-found') return false;
      throw error;
    }
  }

  /** @returns null for a request that has ended meanwhile */
  private async read(id: string): Promise<InboxItem | null> {
    try {
      const { approval } = await this.finished.get(id, 'everything');
      return approval.status === 'pending' ? inboxItemOf(approval) : null;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'approval.not-found') return null;
      throw error;
    }
  }

  private publish(event: InboxEvent): void {
    this.number += 1;
    this.kept.push({ number: this.number, event });
    if (this.kept.length > MAX_KEPT) this.kept.shift();
    for (const listener of this.listeners) listener(event, this.idOf(this.number));
  }

  private idOf(number: number): string {
    return `${this.row}-${number}`;
  }
}
