import { EventBus, type QueryBus } from '@nestjs/cqrs';
import { ApprovalSettled } from '../../../../src/approvals/approval-events';
import type { FinishedApprovals } from '../../../../src/approvals/finished-approvals';
import { eventFor, NOBODY, type InboxEvent } from '../../../../src/channels/console/inbox-events';
import { InboxFeed } from '../../../../src/channels/console/inbox-feed';
import type { InboxItem } from '../../../../src/channels/console/inbox-item';
import type { Log } from '../../../../src/logging/log';
import { until } from '../../../support/until';

const MAX_ITEMS = 1_000;
const TOM = { person: 'tom', mayBeAdmin: true };
const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1_000);

/** A feed over requests whose number is the second in which they end. */
function feedOver(
  pending: Set<number>,
  hidden: ReadonlySet<number> = new Set(),
  marks: ReadonlyMap<number, string> = new Map(),
) {
  const ids = () =>
    [...pending]
      .filter((n) => !hidden.has(n))
      .toSorted((a, b) => a - b)
      .slice(0, MAX_ITEMS)
      .map((n) => ({ id: String(n), mark: marks.get(n) ?? '' }));
  const queries = { execute: () => Promise.resolve(ids()) } as unknown as QueryBus;
  const get = (id: string) =>
    Promise.resolve({
      approval: {
        ...{
          id,
          status: 'pending',
          toolName: 'Bash',
          toolInput: { command: 'ls' },
          cwd: null,
          policy: null,
          required: null,
        },
        ...{
          agentId: 'a',
          sessionId: 's',
          keyId: 'k',
          owner: null,
          createdAt: at(0),
          expiresAt: at(Number(id)),
        },
      },
    });
  const stateOf = (id: string) =>
    Promise.resolve({ status: pending.has(Number(id)) ? 'pending' : 'approved' });
  const events = { subscribe: (take: (event: unknown) => void) => (tell = take) } as unknown as EventBus;
  let tell: (event: unknown) => void = () => undefined;
  const feed = new InboxFeed(
    queries,
    events,
    { get, stateOf } as unknown as FinishedApprovals,
    { event: (...words: unknown[]) => console.warn(...words) } as unknown as Log,
  );
  feed.onApplicationBootstrap();
  const seen: InboxEvent[] = [];
  feed.listen((event) => seen.push(event), null, TOM);
  const look = () => tell(Object.create(ApprovalSettled.prototype));
  return { feed, seen, look };
}

describe('an event of a request that not everybody sees', () => {
  const item = { id: '1' } as InboxItem;
  const sam = [{ person: 'sam', asAdmin: false }];
  const both = [...sam, { person: 'tom', asAdmin: false }];
  const changed = { event: 'changed', data: item } as const;
  const settled = { event: 'settled', data: { id: '1' } } as const;

  it.each([
    ['nothing, for somebody else', changed, sam, sam, null],
    ['nothing about its end, either', settled, sam, NOBODY, null],
    ['a new request, for somebody who sees it from now on', changed, sam, both, 'asked'],
    ['its removal, for somebody who does not see it any more', changed, both, sam, 'crowded-out'],
    ['the change, for somebody who saw it', changed, both, both, 'changed'],
    ['the end, for somebody who saw it', settled, both, NOBODY, 'settled'],
    ['the change, where everybody sees it', changed, null, null, 'changed'],
  ])('is %s', (_, event, before, now, expected) => {
    expect(eventFor(TOM, { event, before, now })?.event ?? null).toBe(expected);
  });

  it('is none for a session that makes no admin, where only admins see it', () => {
    const admins = [{ person: 'tom', asAdmin: true }];
    const asked = { event: { event: 'asked', data: item }, before: NOBODY, now: admins } as const;
    expect(eventFor(TOM, asked)?.event).toBe('asked');
    expect(eventFor({ ...TOM, mayBeAdmin: false }, asked)).toBeNull();
  });
});

it('a request behind a full list is not reported as settled', async () => {
  const pending = new Set(Array.from({ length: MAX_ITEMS }, (_, n) => n + 10));
  const { feed, seen, look } = feedOver(pending);
  await until('the inbox is sent', () => seen.length === 1);
  pending.add(5);
  pending.delete(20);
  pending.add(6);
  look();
  await until('all changes are sent', () => seen.length === 5);
  expect(seen.slice(1).map(({ event, data }) => [event, 'id' in data && data.id])).toEqual([
    ['settled', '20'],
    ['crowded-out', '1009'],
    ['asked', '5'],
    ['asked', '6'],
  ]);
  feed.onModuleDestroy();
});

it('a request that is not shown any more is settled only if it has ended, whenever it ends', async () => {
  const pending = new Set(Array.from({ length: MAX_ITEMS }, (_, n) => n + 10));
  const hidden = new Set<number>();
  const { feed, seen, look } = feedOver(pending, hidden);
  await until('the inbox is sent', () => seen.length === 1);
  pending.add(2_000);
  hidden.add(20);
  look();
  await until('all changes are sent', () => seen.length === 3);
  expect(seen.slice(1).map(({ event, data }) => [event, 'id' in data && data.id])).toEqual([
    ['crowded-out', '20'],
    ['asked', '2000'],
  ]);
  feed.onModuleDestroy();
});

it('a request whose mark changes is sent again, once', async () => {
  const marks = new Map<number, string>();
  const { feed, seen, look } = feedOver(new Set([1, 2]), new Set(), marks);
  await until('the inbox is sent', () => seen.length === 1);
  marks.set(2, 'olivia');
  look();
  await until('the change is sent', () => seen.length === 2);
  look();
  await until('the next change is sent', () => {
    marks.set(1, 'paul');
    look();
    return seen.length === 3;
  });
  expect(seen.slice(1).map(({ event, data }) => [event, 'id' in data && data.id])).toEqual([
    ['changed', '2'],
    ['changed', '1'],
  ]);
  feed.onModuleDestroy();
});

it('a console that comes back gets no text of a request that has ended meanwhile', async () => {
  const pending = new Set([1]);
  const ids: string[] = [];
  const { feed, seen, look } = feedOver(pending);
  await until('the inbox is sent', () => seen.length === 1);
  feed.listen((_, id) => ids.push(id), null, TOM);
  pending.add(2);
  look();
  await until('the request is sent', () => seen.length === 2);
  pending.delete(2);
  look();
  await until('its end is sent', () => seen.length === 3);
  const missed: InboxEvent[] = [];
  feed.listen((event) => missed.push(event), ids[0] ?? null, TOM);
  expect(missed.map(({ event }) => event)).toEqual(['settled']);
  feed.onModuleDestroy();
});
