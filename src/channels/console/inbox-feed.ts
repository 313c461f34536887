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
import { FindReadersQuery } from '../../approvals/queries/find-readers';
import type { Reader } from '../../kernel/viewer';
import { DomainError } from '../../kernel/errors';
import { isForGroups } from '../../kernel/requirement';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { eventFor, mayRead, NOBODY, type Change, type InboxEvent, type Readers } from './inbox-events';
import { inboxItemOf, type InboxItem } from './inbox-item';

/** Interval of the look at what other replicas stored, while a console is open here. */
const LOOK_MS = 250;
/** Changes by this replica, which its consoles see before the next look. */
const LOOKED_AT = [ApprovalEnqueued, ApprovalSettled, ApprovalClaimed, ApprovalExtended] as const;
/** An inbox shows this many requests; if there are more, an equal part of each key, those that end first. */
const MAX_ITEMS = 1_000;
/** Events that a console may have missed and still get one by one; after more it gets the whole inbox. */
const MAX_KEPT = 1_000;

interface Numbered {
  readonly number: number;
  readonly change: Change;
}

/** A pending request, with the people who see it. */
interface Shown {
  readonly item: InboxItem;
  readonly readers: Readers;
  /** The mark of the request when it was read. */
  readonly mark: string;
}

/** Receives an event, and the id from which a console resumes after it. */
export type Listener = (event: InboxEvent, id: string) => void;

/** An open console, and the person who reads it. */
interface Listening {
  readonly listener: Listener;
  readonly reader: Reader;
}

/**
 * Keeps the inbox of all consoles that are open on this replica: the database is asked once for all of them, and not at
 * all while none is open. The difference between two looks gives the events, so nothing is missed that a notification
 * could lose. A request of this replica is looked at when it is stored.
 */
@Injectable()
export class InboxFeed implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly listeners = new Set<Listening>();
  /** Null before the first look. */
  private items: Map<string, Shown> | null = null;
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
   * @param reader gets only the events of requests that they see
   * @returns a function that ends it
   */
  listen(listener: Listener, lastId: string | null, reader: Reader): () => void {
    const listening = { listener, reader };
    this.listeners.add(listening);
    if (this.timer === null) this.start();
    else if (this.items) this.catchUp(listening, this.items, lastId);
    return () => {
      this.listeners.delete(listening);
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
    this.kept = [];
  }

  private catchUp(to: Listening, items: ReadonlyMap<string, Shown>, lastId: string | null): void {
    const [row, number] = lastId?.split('-') ?? [];
    const after = Number(number);
    const isKnown = row === this.row && after <= this.number && this.number - after <= this.kept.length;
    if (isKnown) {
      for (const missed of this.kept) if (missed.number > after) this.send(to, missed);
      return;
    }
    const seen = [...items.values()].filter(({ readers }) => mayRead(readers, to.reader));
    to.listener({ event: 'inbox', data: { items: seen.map(({ item }) => item) } }, this.idOf(this.number));
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
    const known = this.items ?? new Map<string, Shown>();
    const read: Shown[] = [];
    for (const { id, mark } of found) {
      const shown = known.get(id)?.mark === mark ? null : await this.read(id, mark);
      if (shown) read.push(shown);
    }
    const pending = new Set(found.map(({ id }) => id));
    const gone: Change[] = [];
    for (const [id, { readers }] of known) {
      if (pending.has(id)) continue;
      // Outside a full list it may still be pending.
      const isCrowdedOut = found.length >= MAX_ITEMS && (await this.isPending(id));
      const event = isCrowdedOut ? 'crowded-out' : 'settled';
      gone.push({ event: { event, data: { id } }, before: readers, now: NOBODY });
    }
    if (this.timer === null || row !== this.row) return;
    if (this.items === null) {
      this.items = new Map(read.map((shown) => [shown.item.id, shown]));
      for (const listening of this.listeners) this.catchUp(listening, this.items, null);
      return;
    }
    for (const change of gone) {
      known.delete(change.event.data.id);
      this.forget(change.event.data.id);
      this.publish(change);
    }
    for (const shown of read) {
      const { item, readers } = shown;
      const before = known.get(item.id);
      known.set(item.id, shown);
      const event = { event: before ? 'changed' : 'asked', data: item } as const;
      this.publish({ event, before: before ? before.readers : NOBODY, now: readers });
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
  private async read(id: string, mark: string): Promise<Shown | null> {
    try {
      const { approval } = await this.finished.get(id, 'everything');
      if (approval.status !== 'pending') return null;
      const readers = isForGroups(approval.required)
        ? await this.queries.execute(new FindReadersQuery(id))
        : null;
      return { item: inboxItemOf(approval), readers, mark };
    } catch (error) {
      if (error instanceof DomainError && error.code === 'approval.not-found') return null;
      throw error;
    }
  }

  private publish(change: Change): void {
    this.number += 1;
    const numbered = { number: this.number, change };
    this.kept.push(numbered);
    if (this.kept.length > MAX_KEPT) this.kept.shift();
    for (const listening of this.listeners) this.send(listening, numbered);
  }

  /** Nobody gets the text of a request that has ended again: its input may be erased. The numbers of the events stay. */
  private forget(id: string): void {
    const event = { event: 'settled', data: { id } } as const;
    this.kept = this.kept.map((each) =>
      each.change.event.data.id === id ? { ...each, change: { event, before: NOBODY, now: NOBODY } } : each,
    );
  }

  private send({ listener, reader }: Listening, { number, change }: Numbered): void {
    const event = eventFor(reader, change);
    if (event) listener(event, this.idOf(number));
  }

  private idOf(number: number): string {
    return `${this.row}-${number}`;
  }
}
