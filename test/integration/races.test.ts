import type { EventBus } from '@nestjs/cqrs';
import { AlreadySettled, Expired, type Approval } from '../../src/approvals/approval';
import type { Person } from '../../src/kernel/actor';
import { ApprovalSettled } from '../../src/approvals/approval-events';
import type { Snapshot } from '../../src/approvals/approval-store';
import { CancelApprovalCommand, CancelApprovalHandler } from '../../src/approvals/commands/cancel-approval';
import { DecideApprovalCommand, DecideApprovalHandler } from '../../src/approvals/commands/decide-approval';
import type { RateLimits } from '../../src/access/rate-limits';
import type { SettlementFeed } from '../../src/approvals/settlement-feed';
import { storeThatSaw } from '../support/decider';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { newApproval, openTestStore, type OpenStore } from '../support/open-store';
import { shuffled, seededRandom } from '../support/random';

const RACES = 10_000;
const BATCH = 500;
/** Races that run at one time; with up to six contenders each, more than the connections of both replicas. */
const AT_ONCE = 12;

const OLIVIA: Person = { kind: 'person', channel: 'api', id: 'olivia', name: 'Olivia' };
const OTTO: Person = { kind: 'person', channel: 'telegram', id: '7', name: 'Otto' };
const AGENT: Person = { kind: 'person', channel: 'api', id: 'key-1', name: 'key-1' };

/** The answer to a caller: the final approval, and whether this caller settled it. */
interface Told {
  readonly id: string;
  readonly wanted: 'approved' | 'rejected' | 'cancelled';
  readonly by: Person;
  readonly granted: boolean;
  readonly shown: Approval;
}

const UNLIMITED: RateLimits = {
  ask: () => Promise.resolve({ giveBack: () => Promise.resolve(), giveBackBytes: () => Promise.resolve() }),
  decide: () => Promise.resolve({ giveBack: () => Promise.resolve() }),
  refuse: () => Promise.resolve(),
};

class Replica {
  readonly settledEvents: ApprovalSettled[] = [];
  /** The approvals as they were read before the race. */
  private readonly seen = new Map<string, Snapshot>();
  private readonly cancelHandler: CancelApprovalHandler;
  private readonly events: EventBus;

  constructor(readonly open: OpenStore) {
    const publish = (event: unknown) => {
      if (event instanceof ApprovalSettled) this.settledEvents.push(event);
    };
    this.events = { publish, publishAll: (all: unknown[]) => all.forEach(publish) } as unknown as EventBus;
    this.cancelHandler = new CancelApprovalHandler(open.store, UNLIMITED, open.receipts, this.events);
  }

  async see(id: string): Promise<void> {
    const snapshot = await this.open.store.find(id);
    if (snapshot) this.seen.set(id, snapshot);
  }

  decide(id: string, by: Person, wanted: 'approved' | 'rejected'): Promise<Told> {
    const feed = { answer: () => undefined } as unknown as SettlementFeed;
    const store = storeThatSaw(this.open.store, this.seen.get(id) ?? null);
    const handler = new DecideApprovalHandler(store, UNLIMITED, feed, this.open.receipts, this.events);
    return told({ id, by, wanted }, handler.execute(new DecideApprovalCommand(id, by, wanted, null)));
  }

  cancel(id: string): Promise<Told> {
    const command = new CancelApprovalCommand({
      cause: 'requested',
      id,
      by: AGENT,
      reason: null,
      viewer: 'everything',
      gone: null,
    });
    const ended = this.cancelHandler.execute(command).then(() => this.open.store.find(id));
    return told(
      { id, by: AGENT, wanted: 'cancelled' },
      ended.then((found) => found?.approval as Approval),
    );
  }

  async timeout(id: string): Promise<null> {
    await this.cancelHandler.execute(new CancelApprovalCommand({ cause: 'timeout', ids: [id] }));
    return null;
  }

  async sweep(): Promise<number> {
    return (
      await this.cancelHandler.execute(
        new CancelApprovalCommand({ cause: 'timeout', limit: 50, after: null }),
      )
    ).length;
  }
}

async function told(asked: Pick<Told, 'id' | 'wanted' | 'by'>, answer: Promise<Approval>): Promise<Told> {
  try {
    return { ...asked, granted: true, shown: await answer };
  } catch (error) {
    if (error instanceof AlreadySettled || error instanceof Expired)
      return { ...asked, granted: false, shown: error.approval };
    throw error;
  }
}

let database: TestDatabase;
let replicas: Replica[];
let pattern: string;

beforeAll(async () => {
  database = await createTestDatabase();
  // Who wins does not depend on when the disk has it; how long 10 000 races take does.
  await database.query(`do $$ begin
    execute format('alter database %I set synchronous_commit = off', current_database()); end $$`);
  const settings = { DATABASE_POOL_SIZE: '6', APPROVAL_MAX_PENDING_PER_AGENT: '1000000' };
  replicas = [
    new Replica(await openTestStore(database.url, settings)),
    new Replica(await openTestStore(database.url, settings)),
  ];
  const { approval } = await anyReplica().open.store.enqueue(newApproval());
  pattern = approval.id;
});
afterAll(async () => {
  for (const { open } of replicas) await open.close();
  await database.drop();
});

const random = seededRandom(20_261_123);
const anyReplica = () => replicas[random() < 0.5 ? 0 : 1] as Replica;

/** Up to six contenders for one request, in any order, on any replica. */
async function race(id: string): Promise<Told[]> {
  // A read before the race may be over when the request is decided.
  if (random() < 0.5) await anyReplica().see(id);
  const contenders = shuffled(random, [
    () => anyReplica().decide(id, OLIVIA, 'approved'),
    () => anyReplica().decide(id, OTTO, 'rejected'),
    () => anyReplica().cancel(id),
    () => anyReplica().timeout(id),
    ...(random() < 0.2 ? [() => anyReplica().decide(id, OLIVIA, 'approved')] : []),
    ...(random() < 0.1
      ? [
          () =>
            anyReplica()
              .sweep()
              .then(() => null),
        ]
      : []),
  ]);
  // Some do not come at all, so that each of the others gets to be the only one.
  const present = contenders.filter(() => random() < 0.8);
  const answers = await Promise.all(present.map((contender) => contender()));
  return answers.filter((answer) => answer !== null);
}

/** As the store makes them, only faster. A third is over, a third ends in the midst of its races, a third is open. */
async function newRequests(): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `with new as (insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at)
     select uuid_v7(now()), key_id, agent_id, session_id, request, input_digest, correlation_id, created_at,
       date_trunc('milliseconds', now() + case when random() < 0.33 then interval '-1 second'
         when random() < 0.5 then random() * interval '600 milliseconds' else interval '1 hour' end)
     from approvals, generate_series(1, $2) where id = $1 returning id
     ), shown as (
     insert into cards (approval_id, chat_id, nonce, message_id, created_at, sending_at, sent_at)
     select id, -1001, id::text, 1, now(), now(), now() from new)
     select id from new`,
    [pattern, BATCH],
  );
  return rows.map(({ id }) => id);
}

async function batch(): Promise<Told[]> {
  const ids = await newRequests();
  const queue = [...ids];
  const answers: Told[] = [];
  const runner = async () => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) answers.push(...(await race(id)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
  return answers;
}

interface Final {
  id: string;
  status: string;
  settled_by_kind: string;
  settled_by_id: string;
  in_time: boolean;
  audits: string[] | null;
  outcomes: number;
}

it('10 000 random races of approve, reject, cancel and timeout have one winner each, and everybody agrees who', async () => {
  const answers: Told[] = [];
  for (let done = 0; done < RACES; done += BATCH) answers.push(...(await batch()));
  // What nobody came for ends now.
  await database.query(
    `update approvals set expires_at = date_trunc('milliseconds', now()) where status = 'pending'`,
  );
  while ((await anyReplica().sweep()) > 0);

  const finals = await database.query<Final>(
    `
    select a.id, a.status, a.settled_by_kind, a.settled_by_id, a.settled_at < a.expires_at as in_time,
      (select array_agg(type) from audit_log l where l.approval_id = a.id
        and type <> 'approval.enqueued' and type not like '%-refused') as audits,
      (select count(*)::int from outbox o where o.approval_id = a.id and o.kind = 'outcome') as outcomes
    from approvals a where id <> $1`,
    [pattern],
  );
  expect(finals).toHaveLength(RACES);

  const wrong = finals.filter(
    ({ status, audits, outcomes, in_time }) =>
      status === 'pending' ||
      audits?.length !== 1 ||
      audits[0] !== `approval.${status}` ||
      outcomes !== 1 ||
      in_time === (status === 'expired'),
  );
  expect(wrong).toEqual([]);

  const finalOf = new Map(finals.map((final) => [final.id, final]));
  const disagreeing = answers.filter(({ id, wanted, by, granted, shown }) => {
    const final = finalOf.get(id);
    const theirs =
      final?.status === wanted && final.settled_by_kind === by.channel && final.settled_by_id === by.id;
    return shown.status !== final?.status || granted !== theirs;
  });
  expect(disagreeing).toEqual([]);

  // Each that came too late is evidence, once.
  const refused = await database.query<{ late: string }>(
    `select approval_id || ' ' || actor || ' ' || (data::json ->> 'decision') as late
     from audit_log where type like '%-refused'`,
  );
  const tooLate = answers.filter(({ granted }) => !granted);
  expect(refused.map(({ late }) => late).sort()).toEqual(
    tooLate.map(({ id, by, wanted }) => `${id} ${by.channel}:${by.id} ${wanted}`).sort(),
  );

  const announced = replicas.flatMap(({ settledEvents }) => settledEvents.map(({ approval }) => approval));
  expect(announced).toHaveLength(RACES + 1);
  expect(announced.filter(({ id, status }) => id !== pattern && finalOf.get(id)?.status !== status)).toEqual(
    [],
  );

  // The races were races: every ending won often, and many callers lost.
  const wins = (status: string) => finals.filter((final) => final.status === status).length;
  for (const status of ['approved', 'rejected', 'cancelled', 'expired'])
    expect(wins(status)).toBeGreaterThan(500);
  expect(tooLate.length).toBeGreaterThan(RACES);
}, 300_000);
