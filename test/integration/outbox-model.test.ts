import fc from 'fast-check';
import { formatLane, NO_TOPIC, parseLane } from '../../src/channels/telegram/lane';
import type { Work } from '../../src/outbox/outbox-store';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { attempt } from '../support/decider';
import { newApproval, openTestStore, type OpenStore } from '../support/open-store';
import { openOutbox, type OutboxReplica } from '../support/outbox-rig';

const GROUP = '-1001';
const PRIVATE = '42';
const CHATS = [GROUP, PRIVATE] as const;
const LEASE_MS = 30_000;
const SLOT_LIFE_MS = 15_000;
/** A slot that ended longer ago is in no window any more, and every claim deletes it. */
const SLOT_KEPT_MS = 60_000;
const LIMITS = { perSecond: 4, chatPerSecond: 1000, groupPerMinute: 5 };
const CHAT_BURST = 3;
const URGENCY = { digest: -1, notice: -1, card: 0, outcome: 1, warning: 2 } as const;
const RUNS = 40;
const MAX_COMMANDS = 60;

const ENVIRONMENT = {
  DATABASE_POOL_SIZE: '2',
  ESCALATION_LEASE_SECONDS: String(LEASE_MS / 1000),
  TELEGRAM_BUDGET_PER_SECOND: String(LIMITS.perSecond),
  TELEGRAM_BUDGET_CHAT_PER_SECOND: String(LIMITS.chatPerSecond),
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: String(LIMITS.groupPerMinute),
};

/** A moment known only to lie between two readings of our clock, since the database has its own. */
interface Moment {
  readonly from: number;
  readonly to: number;
}
const later = ({ from, to }: Moment, ms: number): Moment => ({ from: from + ms, to: to + ms });
const surelyBefore = (a: Moment, b: Moment): boolean => a.to <= b.from;
const LONG_AGO: Moment = { from: -Infinity, to: -Infinity };

interface ModelWork {
  readonly kind: Work['kind'];
  readonly approvalId: string | null;
  readonly chat: string;
  /** Place in the order of creation. */
  readonly place: number;
  availableAt: Moment;
  token: number;
  dead: boolean;
}

interface Held {
  readonly work: Work;
  readonly model: ModelWork;
  readonly token: number;
  leaseEnds: Moment;
}

interface Slot {
  readonly id: string;
  readonly chat: string;
  /** Taken by what leaves room for outcomes. */
  readonly shared: boolean;
  /** The end of the call, as the rate windows count it. */
  end: Moment;
}

/** Leaves half of its chat's minute to outcomes. */
const laneOf = (chatId: string) => formatLane({ chatId, threadId: NO_TOPIC });

const isShared = (kind: Work['kind']): boolean => kind === 'card' || kind === 'warning';

const minuteOf = (chat: string): number =>
  chat.startsWith('-')
    ? Math.min(LIMITS.groupPerMinute, 60 * LIMITS.chatPerSecond)
    : 60 * LIMITS.chatPerSecond;

/** The outbox in its plainest form, as the reference. */
class Model {
  works: ModelWork[] = [];
  /** Everything that was ever claimed and not given up by a crash, zombies included. */
  held: Held[] = [];
  slots: Slot[] = [];
  readonly lanes = new Map<string, { failures: number; availableAt: Moment }>();
  readonly digestTold = new Set<string>();
  approvals: { id: string; chat: string; pending: boolean; hasCard: boolean }[] = [];
  shiftMs = 0;
  private places = 0;

  now(): number {
    return performance.now() + this.shiftMs;
  }

  add(kind: Work['kind'], approvalId: string | null, chat: string, availableAt: Moment): void {
    const known = approvalId && this.works.find((w) => w.approvalId === approvalId && w.kind === kind);
    if (known) {
      known.availableAt = availableAt;
      known.token++;
      known.dead = false;
      return;
    }
    this.works.push({ kind, approvalId, chat, place: this.places++, availableAt, token: 0, dead: false });
  }

  /** Still the newest holder, so that its word counts. */
  holds(held: Held): boolean {
    return this.works.includes(held.model) && held.model.token === held.token;
  }

  roomAt(chat: string, shared: boolean): Moment {
    const window = (most: number, ms: number, slots: readonly Slot[]): Moment => {
      const nth = (ends: number[]): number => ends.sort((a, b) => b - a)[most - 1] ?? -Infinity;
      const at = { from: nth(slots.map(({ end }) => end.from)), to: nth(slots.map(({ end }) => end.to)) };
      return later(at, ms);
    };
    const here = this.slots.filter((slot) => slot.chat === chat);
    const windows = [
      window(LIMITS.perSecond, 1000, this.slots),
      window(CHAT_BURST, (CHAT_BURST * 1000) / LIMITS.chatPerSecond, here),
      ...(chat.startsWith('-') ? [window(LIMITS.groupPerMinute, 60_000, here)] : []),
      ...(shared
        ? [
            window(
              Math.floor(minuteOf(chat) / 2),
              60_000,
              here.filter((slot) => slot.shared),
            ),
          ]
        : []),
    ];
    return {
      from: Math.max(...windows.map(({ from }) => from)),
      to: Math.max(...windows.map(({ to }) => to)),
    };
  }

  readyAt(work: ModelWork): Moment {
    const lane = this.lanes.get(work.chat)?.availableAt ?? LONG_AGO;
    const room = this.roomAt(work.chat, isShared(work.kind));
    const all = [work.availableAt, lane, room];
    return { from: Math.max(...all.map(({ from }) => from)), to: Math.max(...all.map(({ to }) => to)) };
  }

  /** Smaller comes first. */
  static compare(a: ModelWork, b: ModelWork): number {
    return URGENCY[a.kind] - URGENCY[b.kind] || a.place - b.place;
  }
}

interface Real {
  readonly database: TestDatabase;
  readonly stores: ReadonlyMap<string, OpenStore>;
  readonly replicas: readonly OutboxReplica[];
}

type Command = fc.AsyncCommand<Model, Real>;

/** Runs something and tells between which moments it happened. */
async function timed<T>(model: Model, work: () => Promise<T>): Promise<{ value: T; at: Moment }> {
  const from = model.now();
  const value = await work();
  return { value, at: { from, to: model.now() } };
}

interface OutboxRow {
  kind: Work['kind'];
  approval_id: string | null;
  chat_id: string;
  lease_token: string;
  dead: boolean;
}

/** Every work is done or still there, in the state that the model has. */
async function expectSameOutbox(model: Model, { database }: Real): Promise<void> {
  const rows = await database.query<OutboxRow>(
    `select kind, approval_id, chat_id, lease_token, dead_at is not null as dead from outbox order by id`,
  );
  expect(rows.map((r) => [r.kind, r.approval_id, r.chat_id, Number(r.lease_token), r.dead])).toEqual(
    model.works.map((w) => [w.kind, w.approvalId, w.chat, w.token, w.dead]),
  );
}

const command = (
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Model) => boolean = () => true,
): Command => ({
  check,
  run: async (model, real) => {
    await run(model, real);
    await expectSameOutbox(model, real);
  },
  toString: () => name,
});

const enqueue = (chat: string): Command =>
  command(`enqueue(${chat})`, async (model, real) => {
    // Each in its own session, so that no two of them are a turn.
    const request = newApproval({ sessionId: `session-${model.approvals.length}` });
    const { value, at } = await timed(model, async () => storeOf(real, chat).store.enqueue(request));
    model.approvals.push({ id: value.approval.id, chat, pending: true, hasCard: false });
    model.add('card', value.approval.id, chat, at);
  });

function storeOf({ stores }: Real, chat: string): OpenStore {
  const open = stores.get(chat);
  if (!open) throw new Error(`no store for chat ${chat}`);
  return open;
}

const settle = (index: number): Command =>
  command(
    `settle(${index})`,
    async (model, real) => {
      const approval = pick(model.approvals, index);
      const { value, at } = await timed(model, () =>
        attempt(storeOf(real, approval.chat), {
          id: approval.id,
          verdict: 'approved',
          by: { kind: 'person', channel: 'api', id: 'o', name: 'o' },
        }),
      );
      expect(value.changed).toBe(approval.pending);
      if (!approval.pending) return;
      approval.pending = false;
      // Whoever holds the card may be sending it, and says so in the end; nobody begins to.
      model.works = model.works.filter((w) => w.approvalId !== approval.id || w.kind !== 'card' || w.dead);
      if (approval.hasCard) model.add('outcome', approval.id, approval.chat, at);
    },
    ({ approvals }) => approvals.length > 0,
  );

const claim = (index: number): Command =>
  command(`claim(replica ${index})`, (model, real) => claimOnce(model, pick(real.replicas, index)));

/** @returns once the claim is known to be allowed, and the most urgent that was. */
async function claimOnce(model: Model, { outbox }: OutboxReplica): Promise<void> {
  const { value, at } = await timed(model, () => outbox.claim());
  // What is forgotten cannot be released any more.
  model.slots = model.slots.filter(({ end }) => !surelyBefore(later(end, SLOT_KEPT_MS), at));
  const surely = model.works.filter((w) => !w.dead && surelyBefore(model.readyAt(w), at));
  if (value.work === null) {
    expect(surely).toEqual([]);
    const someWait = model.works.some((w) => !w.dead && w.availableAt.from <= at.to);
    if (!someWait) expect(value.waitMs).toBeNull();
    return;
  }
  const { work } = value;
  const approvalId = 'approvalId' in work ? work.approvalId : null;
  const found = model.works.find(
    (w) => w.kind === work.kind && w.approvalId === approvalId && laneOf(w.chat) === work.lane && !w.dead,
  );
  if (!found) throw new Error(`claimed what is not there: ${JSON.stringify(work)}`);
  // Neither its time, nor its lane, nor the budget of its chat stood against it…
  expect(model.readyAt(found).from).toBeLessThanOrEqual(at.to);
  // …and nothing more urgent was ready.
  expect(surely.filter((other) => Model.compare(other, found) < 0)).toEqual([]);
  // Whoever held it before has lost it.
  const rivals = model.held.filter((held) => held.model === found && model.holds(held));
  for (const rival of rivals) expect(rival.leaseEnds.from).toBeLessThanOrEqual(at.to);

  found.token++;
  found.availableAt = later(at, LEASE_MS);
  expect(Number(work.leaseToken)).toBe(found.token);
  model.held.push({ work, model: found, token: found.token, leaseEnds: found.availableAt });
  model.slots.push({
    id: work.slot,
    chat: found.chat,
    shared: work.kind !== 'outcome',
    end: later(at, SLOT_LIFE_MS),
  });
  if (found.kind === 'card') tellDigest(model, found.chat, at);
}

function tellDigest(model: Model, chat: string, at: Moment): void {
  const cards = model.works.filter((w) => w.kind === 'card' && w.chat === chat && !w.dead);
  const unsent = cards.filter(({ availableAt }) => surelyBefore(availableAt, at)).length;
  const minute = chat === GROUP ? LIMITS.groupPerMinute : 60 * LIMITS.chatPerSecond;
  if (unsent === 0) model.digestTold.delete(chat);
  if (unsent > minute && !model.digestTold.has(chat)) {
    model.digestTold.add(chat);
    if (!model.lanes.has(chat)) model.lanes.set(chat, { failures: 0, availableAt: LONG_AGO });
    model.add('digest', null, chat, at);
  }
}

const withHeld = (
  name: string,
  index: number,
  run: (held: Held, model: Model, replica: OutboxReplica, real: Real) => Promise<void>,
): Command =>
  command(
    `${name}(${index})`,
    (model, real) => run(pick(model.held, index), model, pick(real.replicas, index), real),
    ({ held }) => held.length > 0,
  );

const end = (model: Model, held: Held): void => {
  if (model.holds(held)) model.works = model.works.filter((w) => w !== held.model);
};

const finish = (index: number): Command =>
  withHeld('finish', index, async (held, model, { outbox }) => {
    await outbox.finish(held.work);
    end(model, held);
  });

const showCard = (index: number): Command =>
  withHeld('show card', index, async ({ work, ...held }, model, { cards }) => {
    if (work.kind !== 'card') return;
    const { card } = await cards.begin(
      work.approvalId,
      parseLane(work.lane),
      `${work.id}-${model.now()}`,
      'sha256:0',
    );
    const { at } = await timed(model, () => cards.sent(card, '7', work, 0));
    end(model, { work, ...held });
    const approval = model.approvals.find(({ id }) => id === work.approvalId);
    if (approval) approval.hasCard = true;
    if (approval && !approval.pending) model.add('outcome', approval.id, approval.chat, at);
  });

const postpone = (index: number, waitMs: number): Command =>
  withHeld(`postpone ${waitMs} ms`, index, async (held, model, { outbox }) => {
    const { at } = await timed(model, () => outbox.postpone(held.work, waitMs, 'later'));
    if (!model.holds(held)) return;
    held.model.availableAt = later(at, waitMs);
    held.model.token++;
  });

const bury = (index: number): Command =>
  withHeld('bury', index, async (held, model, { outbox }) => {
    await outbox.bury(held.work, 'never');
    if (model.holds(held)) held.model.dead = true;
  });

const renew = (index: number): Command =>
  withHeld('renew', index, async (held, model, { outbox }) => {
    const { at } = await timed(model, () => outbox.renew([held.work]));
    if (!model.holds(held) || held.model.dead) return;
    held.model.availableAt = later(at, LEASE_MS);
    held.leaseEnds = held.model.availableAt;
  });

const release = (index: number): Command =>
  command(
    `release slot(${index})`,
    async (model, { replicas }) => {
      const slot = pick(model.slots, index);
      const { at } = await timed(model, () => pick(replicas, index).budget.release(slot.id));
      // Returned twice, or long after it ran out, it only counts for longer.
      slot.end = at;
    },
    ({ slots }) => slots.length > 0,
  );

const crash = (index: number): Command =>
  withHeld('crash', index, (held, model) => {
    // Forgotten without a word: its work comes back when the lease ends, and its slot counts until then.
    model.held = model.held.filter((each) => each !== held);
    return Promise.resolve();
  });

const replay = command('replay all', async (model, { replicas }) => {
  const { value, at } = await timed(model, () => pick(replicas, 0).outbox.replay(null));
  const dead = model.works.filter((work) => work.dead);
  expect(value).toBe(dead.length);
  for (const work of dead) {
    work.dead = false;
    work.token++;
    work.availableAt = at;
  }
});

const pauseLane = (chat: string, toldMs: number | null): Command =>
  command(`pause lane ${chat} for ${toldMs} ms`, async (model, { replicas }) => {
    const { at } = await timed(model, () => pick(replicas, 0).outbox.pauseLane(laneOf(chat), toldMs));
    const { failures, availableAt } = model.lanes.get(chat) ?? { failures: 0, availableAt: LONG_AGO };
    const until = later(at, toldMs ?? Math.min(14, 2 ** failures) * 1000);
    model.lanes.set(chat, {
      failures: failures + 1,
      availableAt: {
        from: Math.max(availableAt.from, until.from),
        to: Math.max(availableAt.to, until.to),
      },
    });
  });

const laneWorks = (chat: string): Command =>
  command(`lane ${chat} works`, async (model, { replicas }) => {
    await pick(replicas, 0).outbox.laneWorks(laneOf(chat));
    const lane = model.lanes.get(chat);
    if (lane) lane.failures = 0;
  });

/** Time passes for the database by what it remembers becoming older. */
const pass = (seconds: number): Command =>
  command(`${seconds} s pass`, (model, real) => passTime(model, real, seconds));

async function passTime(model: Model, { database }: Real, seconds: number): Promise<void> {
  const ago = `make_interval(secs => $1)`;
  await database.query(`update outbox set available_at = available_at - ${ago}`, [seconds]);
  await database.query(`update outbox_lanes set available_at = available_at - ${ago}`, [seconds]);
  await database.query(`update send_slots set at = at - ${ago}`, [seconds]);
  model.shiftMs += seconds * 1000;
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const chat = fc.constantFrom(...CHATS);
const index = fc.nat({ max: 30 });
const times = <T>(count: number, arbitrary: T): T[] => Array.from({ length: count }, () => arbitrary);
/** Weighed so that leases often run out while their holders live on. */
const commands = fc.commands(
  [
    ...times(2, chat.map(enqueue)),
    fc.constant(GROUP).map(enqueue),
    index.map(settle),
    ...times(6, index.map(claim)),
    ...times(3, index.map(finish)),
    index.map(showCard),
    fc.tuple(index, fc.constantFrom(0, 5_000, 40_000)).map((args) => postpone(...args)),
    index.map(bury),
    index.map(renew),
    ...times(2, index.map(release)),
    index.map(crash),
    fc.constant(replay),
    fc.tuple(chat, fc.constantFrom(null, 3_000, 100_000)).map((args) => pauseLane(...args)),
    chat.map(laneWorks),
    ...times(2, fc.constantFrom(1, 7, 20).map(pass)),
    ...times(2, fc.constantFrom(31, 70).map(pass)),
  ],
  { maxCommands: MAX_COMMANDS, size: 'max' },
);

/** Nothing is lost: in the end all that is not done can be claimed, each once, and then nothing is left. */
async function drain(model: Model, real: Real): Promise<void> {
  await replay.run(model, real);
  await passTime(model, real, 1000);
  model.held = [];
  const claimed = new Set<ModelWork>();
  for (let left = 10 * (model.works.length + 1); model.works.length > 0; left--) {
    if (left === 0) throw new Error('the outbox does not empty');
    await claimOnce(model, pick(real.replicas, left));
    const held = model.held.pop();
    if (held) {
      expect(claimed).not.toContain(held.model);
      claimed.add(held.model);
      await pick(real.replicas, left).outbox.finish(held.work);
      end(model, held);
    } else await passTime(model, real, 61);
  }
  await expectSameOutbox(model, real);
}

let real: Real;

beforeAll(async () => {
  const database = await createTestDatabase();
  const stores = await Promise.all(
    CHATS.map(
      async (id) =>
        [id, await openTestStore(database.url, { ...ENVIRONMENT, TELEGRAM_CHAT_ID: id })] as const,
    ),
  );
  const replicas = [await openOutbox(database.url, ENVIRONMENT), await openOutbox(database.url, ENVIRONMENT)];
  real = { database, stores: new Map(stores), replicas };
});
afterAll(async () => {
  await Promise.all([...real.stores.values(), ...real.replicas].map((part) => part.close()));
  await real.database.drop();
});

it('behaves as the model does under any history of claims, crashes, zombies, failures and time', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (history) => {
      await real.database.query('truncate outbox, approvals, cards, lanes, outbox_lanes, send_slots');
      const model = new Model();
      await fc.asyncModelRun(() => ({ model, real }), history);
      await drain(model, real);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false },
  );
}, 120_000);
