import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { Client } from 'pg';
import type { Person } from '../../src/kernel/actor';
import {
  CANCEL,
  DEPART,
  EXPIRE_DUE,
  EXPIRE_OVERDUE,
  EXPLAIN_REFUSAL,
  FIND,
  JOIN,
  LIST,
  LOOK,
  LOOK_FOR_DUE,
  SETTLE,
} from '../../src/approvals/approval-statements';
import type { DecidedApproval } from '../../src/approvals/approval';
import type { ApprovalsFound, Snapshot } from '../../src/approvals/approval-store';
import type { Statement } from '../../src/database/database';
import { newApproval, openTestStore, type OpenStore } from '../support/open-store';
import { attempt, type Attempt } from '../support/decider';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { until } from '../support/until';

const OLIVIA: Person = { kind: 'person', channel: 'api', id: 'olivia', name: 'Olivia' };
const bodyDigest = (body: string) => createHash('sha256').update(body).digest();
const digestOf = (card: string) => `sha256:${bodyDigest(card).toString('hex')}`;

let database: TestDatabase;
let replica: OpenStore;

beforeAll(async () => {
  database = await createTestDatabase();
  replica = await openTestStore(database.url);
});
afterAll(async () => {
  await replica.close();
  await database.drop();
});

async function enqueue(more: Parameters<typeof newApproval>[0] = {}): Promise<string> {
  return (await replica.store.enqueue(newApproval(more))).approval.id;
}

/** Moves the end of a request, as if it had been made earlier or later. */
async function expireAt(id: string, fromNow: string): Promise<void> {
  await database.query(`update approvals set expires_at = now() + $2::interval where id = $1`, [id, fromNow]);
}

const expireAll = async () => {
  while ((await replica.store.expireDue(500, null)).length > 0);
};

async function count(sql: string, id: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${sql}`, [id]);
  return row?.count ?? NaN;
}

/** As the audit log has it, of the row of this type. */
async function auditedReason(id: string, type: string): Promise<string | null | undefined> {
  const [row] = await database.query<{ data: string }>(
    `select data from audit_log where approval_id = $1 and type = $2`,
    [id, `approval.${type}`],
  );
  return (JSON.parse(row?.data ?? '{}') as { reason?: string | null }).reason;
}

const settle = (id: string, status: 'approved' | 'rejected' | 'cancelled', by = OLIVIA) =>
  status === 'cancelled'
    ? replica.store.cancel(id, by, null, null)
    : attempt(replica, { id, verdict: status, by });

describe('waiting for the answer', () => {
  /** A number that no replica has. */
  const KILLED = 1;
  const heldAtKilled = async (): Promise<string> => {
    const id = await enqueue({ held: true });
    await database.query(`update approvals set holder = $2 where id = $1`, [id, KILLED]);
    return id;
  };

  it('is for one caller at a time: of many that come back at once, one joins', async () => {
    const id = await enqueue({ held: true });
    expect(await replica.store.join(id)).toBeNull();
    await replica.store.depart(id, 0);
    const joined = await Promise.all(Array.from({ length: 10 }, () => replica.store.join(id)));
    expect(joined.filter((hold) => hold !== null)).toEqual([1]);
  });

  it('for a replica that was killed does not keep others from joining', async () => {
    const id = await heldAtKilled();
    expect(await replica.store.join(id)).toBe(1);
  });

  it('for a replica of which nobody can tell whether it runs does', async () => {
    const id = await heldAtKilled();
    await database.query(`update approvals set holder = null where id = $1`, [id]);
    expect(await replica.store.join(id)).toBeNull();
  });

  it('ends with the answer to the caller that came last, and to no other', async () => {
    const id = await heldAtKilled();
    await replica.store.join(id);
    await settle(id, 'approved');
    expect(await replica.store.take(id, 0)).toBe(false);
    expect(await replica.store.take(id, 1)).toBe(true);
  });

  it('is over once the answer is taken, also if its replica is killed then, until it is known that nobody had it', async () => {
    const id = await heldAtKilled();
    await settle(id, 'approved');
    expect(await replica.store.take(id, 0)).toBe(true);
    expect(await replica.store.join(id)).toBeNull();
    await replica.store.acknowledge(id, 'key-1', 'gone');
    expect(await replica.store.join(id)).toBeNull();
    await replica.store.depart(id, 0);
    expect(await replica.store.join(id)).toBe(1);
  });

  it.each([
    ['was heard', (id: string) => replica.store.acknowledge(id, 'key-1', 'resumed')],
    ['is past its time', (id: string) => expireAt(id, '-1 second')],
  ])('for an approval that %s is refused', async (_what, become) => {
    const id = await heldAtKilled();
    await settle(id, 'approved');
    await replica.store.depart(id, 0);
    await become(id);
    expect(await replica.store.join(id)).toBeNull();
  });

  it('for what was cancelled is refused', async () => {
    const id = await heldAtKilled();
    await replica.store.depart(id, 0);
    await settle(id, 'cancelled');
    expect(await replica.store.join(id)).toBeNull();
  });
});

describe('enqueueing', () => {
  it('writes the request, its card and its audit row in one transaction', async () => {
    const id = await enqueue();
    const rows = await database.query<{ what: string; xmin: string }>(
      `select 'approval' as what, xmin::text from approvals where id = $1
       union all select 'outbox ' || kind, xmin::text from outbox where approval_id = $1
       union all select 'audit ' || type, xmin::text from audit_log where approval_id = $1`,
      [id],
    );
    expect(rows.map(({ what }) => what).sort()).toEqual([
      'approval',
      'audit approval.enqueued',
      'outbox card',
    ]);
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBe(1);
  });

  it('stores nothing at all when its audit row cannot be written', async () => {
    await database.query(
      `alter table audit_log add constraint no_more check (correlation_id <> 'refused') not valid`,
    );
    try {
      await expect(replica.store.enqueue(newApproval({ correlationId: 'refused' }))).rejects.toThrow(
        'no_more',
      );
    } finally {
      await database.query(`alter table audit_log drop constraint no_more`);
    }
    expect(await count(`approvals where correlation_id = $1`, 'refused')).toBe(0);
    expect(await count(`outbox where approval_id not in (select id from approvals) and $1 <> ''`, '-')).toBe(
      0,
    );
  });

  it('writes no card while Telegram is off', async () => {
    const off = await openTestStore(database.url, {
      TELEGRAM_BOT_TOKEN: '',
      TELEGRAM_CHAT_ID: '',
      TELEGRAM_OPERATORS: '',
    });
    try {
      const { approval } = await off.store.enqueue(newApproval());
      expect(await count(`outbox where approval_id = $1`, approval.id)).toBe(0);
      expect(await count(`audit_log where approval_id = $1`, approval.id)).toBe(1);
    } finally {
      await off.close();
    }
  });

  it('makes version 7 ids that sort by creation, and times of whole milliseconds that lie the timeout apart', async () => {
    const made = [];
    for (let n = 0; n < 20; n++)
      made.push((await replica.store.enqueue(newApproval({ timeoutSeconds: 90 }))).approval);
    for (const { id, createdAt, expiresAt } of made) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(createdAt.getTime());
      expect(expiresAt.getTime() - createdAt.getTime()).toBe(90_000);
    }
    const [row] = await database.query<{ whole: boolean }>(
      `select bool_and(created_at = date_trunc('milliseconds', created_at)) as whole from approvals`,
    );
    expect(row?.whole).toBe(true);
  });
});

describe('what is asked', () => {
  it('comes back exactly, U+0000, quotes, backslashes and all', async () => {
    const nasty = 'a\u0000b "quoted" \\u0000 \\ \u001b[31m \u{1f600} \u2028';
    const asked = {
      agentId: nasty,
      sessionId: `${nasty}2`,
      toolName: nasty,
      toolInput: { [nasty]: [nasty, { deep: nasty }], number: 1e21, negative: -0.5, nothing: null },
      toolUseId: nasty,
      summary: nasty,
      cwd: nasty,
      metadata: { [nasty]: nasty },
    };
    const id = await enqueue(asked);
    const found = await replica.store.find(id);
    expect(found?.approval).toMatchObject(asked);

    const listed = await replica.store.list({
      keyId: 'key-1',
      status: 'pending',
      agentId: nasty,
      sessionId: `${nasty}2`,
      connector: null,
      beforeId: null,
      limit: 10,
    });
    expect(listed.snapshots.map(({ approval }) => approval.id)).toEqual([id]);
  });

  it('keeps keys that mean something to JavaScript', async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":1,"hasOwnProperty":2,"toJSON":3}';
    const id = await enqueue({ toolInput: JSON.parse(text) as Record<string, never> });
    const found = await replica.store.find(id);
    expect(JSON.parse(JSON.stringify(found?.approval.toolInput))).toEqual(JSON.parse(text));
    expect(Object.keys(found?.approval.toolInput ?? {})).toContain('__proto__');
    expect('polluted' in {}).toBe(false);
  });

  it.each(['approved', 'rejected', 'cancelled'] as const)(
    'and why it was %s comes back exactly',
    async (status) => {
      const reason = 'no\u0000 "way" \\u0000 \n\t\u{1f6ab}';
      const id = await enqueue();
      const settled =
        status === 'cancelled'
          ? await replica.store.cancel(id, OLIVIA, reason, null)
          : await attempt(replica, { id, verdict: status, by: OLIVIA, reason });
      const approval = (await replica.store.find(id))?.approval;
      expect(approval).toMatchObject(
        status === 'cancelled'
          ? { status, reason, by: OLIVIA }
          : { status, decision: { by: OLIVIA, reason } },
      );
      expect(settled).toMatchObject(
        status === 'cancelled' ? { id, status, by: OLIVIA } : { changed: true, approval },
      );
      expect(await auditedReason(id, status)).toBe(reason);
    },
  );

  it('and so does what an operator says after rejecting it', async () => {
    const reason = 'no\u0000 "way" \\u0000 \n\t\u{1f6ab}';
    const id = await enqueue();
    await settle(id, 'rejected');
    expect(await replica.store.explain(id, OLIVIA, reason)).toBe(true);
    expect((await replica.store.find(id))?.approval).toMatchObject({ decision: { by: OLIVIA, reason } });
    expect(await auditedReason(id, 'explained')).toBe(reason);
  });
});

describe('idempotency', () => {
  const asked = (key: string, body: string, keyId = 'key-1') =>
    newApproval({ keyId, idempotency: { key, bodyDigest: bodyDigest(body) } });

  it('gives 50 parallel callers with one key and one body one row', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => replica.store.enqueue(asked('parallel', 'body'))),
    );
    expect(new Set(answers.map(({ approval }) => approval.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await count(`approvals where idempotency_key = $1`, 'parallel')).toBe(1);
    expect(await count(`outbox where approval_id = $1`, answers[0]?.approval.id ?? '')).toBe(1);
  });

  it('lets a duplicate wait for the COMMIT of the first, and then answers with it', async () => {
    const first = new Client({ connectionString: database.url });
    await first.connect();
    try {
      await first.query('begin');
      await first.query(
        `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id,
           idempotency_key, body_digest, created_at, expires_at)
         select gen_random_uuid(), key_id, agent_id, session_id, request, input_digest, correlation_id,
           'in-flight', $1, created_at, now() + interval '1 hour' from approvals limit 1`,
        [bodyDigest('body')],
      );
      let answered = false;
      const duplicate = replica.store.enqueue(asked('in-flight', 'body')).finally(() => (answered = true));
      await untilBlocked();
      expect(answered).toBe(false);
      await first.query('commit');
      expect(await duplicate).toMatchObject({ replayed: true });
    } finally {
      await first.end();
    }
  });

  it('refuses another body under the same key', async () => {
    await replica.store.enqueue(asked('once', 'body'));
    await expect(replica.store.enqueue(asked('once', 'other'))).rejects.toMatchObject({
      code: 'idempotency.body-differs',
    });
  });

  it('is a matter between one API key and us', async () => {
    const mine = await replica.store.enqueue(asked('shared', 'body', 'key-1'));
    const theirs = await replica.store.enqueue(asked('shared', 'other', 'key-2'));
    expect(theirs.replayed).toBe(false);
    expect(theirs.approval.id).not.toBe(mine.approval.id);
  });

  it('answers with the approval that is settled by now', async () => {
    const { approval } = await replica.store.enqueue(asked('settled', 'body'));
    await settle(approval.id, 'approved');
    const again = await replica.store.enqueue(asked('settled', 'body'));
    expect(again).toEqual({ replayed: true, approval, verdict: null, required: null, ending: null });
  });

  it('answers a replay even when the key has as much pending as it may', async () => {
    const small = await openTestStore(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '1' });
    try {
      const { approval } = await small.store.enqueue(asked('full', 'body', 'key-full'));
      const again = await small.store.enqueue(asked('full', 'body', 'key-full'));
      expect(again).toMatchObject({ replayed: true, approval: { id: approval.id } });
    } finally {
      await small.close();
    }
  });
});

/** Until some backend of this database waits for a lock. */
async function untilBlocked(): Promise<void> {
  await until('a statement waits for a lock', async () => {
    const [row] = await database.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (row?.waiting ?? 0) > 0;
  });
}

describe('the cap on pending requests', () => {
  it('refuses the next one, for this key only, until one of them settles', async () => {
    const small = await openTestStore(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '3' });
    const ask = (keyId: string) => small.store.enqueue(newApproval({ keyId }));
    try {
      const [first] = [await ask('capped'), await ask('capped'), await ask('capped')];
      await expect(ask('capped')).rejects.toMatchObject({ code: 'approval.too-many-pending' });
      expect((await ask('other')).replayed).toBe(false);
      await small.store.cancel(first.approval.id, OLIVIA, null, null);
      expect((await ask('capped')).replayed).toBe(false);
      await expect(ask('capped')).rejects.toMatchObject({ code: 'approval.too-many-pending' });
    } finally {
      await small.close();
    }
  });

  it('leaves to new requests the room that repeated ones do not need', async () => {
    const small = await openTestStore(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '3' });
    const ask = (key: string) =>
      small.store.enqueue(
        newApproval({ keyId: 'repeats', idempotency: { key, bodyDigest: bodyDigest('body') } }),
      );
    try {
      await Promise.all([ask('one'), ask('two')]);
      const answers = await Promise.all([ask('one'), ask('two'), ask('one'), ask('three')]);
      expect(answers.map(({ replayed }) => replayed)).toEqual([true, true, true, false]);
    } finally {
      await small.close();
    }
  });

  it('holds for their bytes too, which repeated and settled requests do not take', async () => {
    const small = await openTestStore(database.url, { APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1' });
    const ask = (key: string, kib: number) =>
      small.store.enqueue(
        newApproval({
          keyId: 'heavy',
          toolInput: { content: '文'.repeat((kib * 1024) / 3) },
          idempotency: { key, bodyDigest: bodyDigest('body') },
        }),
      );
    try {
      const first = await ask('first', 600);
      await expect(ask('second', 600)).rejects.toMatchObject({
        code: 'approval.too-many-pending',
        message: expect.stringContaining('more than 1 MiB') as string,
      });
      expect((await ask('small', 300)).replayed).toBe(false);
      expect((await ask('first', 600)).replayed).toBe(true);
      await small.store.cancel(first.approval.id, OLIVIA, null, null);
      expect((await ask('second', 600)).replayed).toBe(false);
    } finally {
      await small.close();
    }
  });

  it('holds for requests that are stored at the same time', async () => {
    const small = await openTestStore(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '1' });
    try {
      await database.query('begin');
      await database.query('lock table audit_log in exclusive mode');
      const both = [small.store.enqueue(newApproval({ keyId: 'crowd' }))];
      await untilBlocked();
      both.push(small.store.enqueue(newApproval({ keyId: 'crowd' })));
      // Were it sent already, it would have counted by the time that these are answered.
      for (let n = 0; n < 3; n++) await small.store.summarizePending();
      await database.query('commit');
      const ended = await Promise.allSettled(both);
      expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    } finally {
      await small.close();
    }
  });
});

describe('a look at what is waited for', () => {
  it('reads what was asked of the settled ones, and not of the pending ones', async () => {
    const pending = await enqueue();
    const settled = await enqueue();
    await settle(settled, 'approved');
    const looks = await replica.store.look([pending, settled]);
    const of = (id: string) => looks.find((look) => look.id === id);
    expect(of(pending)).toMatchObject({ status: 'pending' });
    expect(of(pending)).not.toHaveProperty('toolInput');
    expect(of(settled)).toMatchObject({
      approval: {
        status: 'approved',
        toolInput: { command: 'ls' },
        receipt: expect.any(String) as string,
      },
    });
  });
});

describe('settling', () => {
  /** As the worker leaves it that begins to send the card. */
  const beginCard = (id: string) =>
    database.query(
      `insert into cards (approval_id, chat_id, nonce, created_at, sending_at) values ($1::uuid, -1001, $1::text, now(), now())`,
      [id],
    );
  const workFor = async (id: string): Promise<string[]> =>
    (
      await database.query<{ kind: string }>(`select kind from outbox where approval_id = $1 order by kind`, [
        id,
      ])
    ).map(({ kind }) => kind);

  it('before the card was begun leaves nothing to be sent', async () => {
    const id = await enqueue();
    expect(await workFor(id)).toEqual(['card']);
    await settle(id, 'approved');
    expect(await workFor(id)).toEqual([]);
  });

  it('waits for nobody who takes up the card at that moment', async () => {
    const id = await enqueue();
    await database.query('begin');
    await database.query(`select 1 from outbox where approval_id = $1 for update`, [id]);
    await settle(id, 'approved');
    await database.query('commit');
    expect(await workFor(id)).toEqual(['card']);
  });

  it('writes the outcome, its audit row and its card edit in one transaction', async () => {
    const id = await enqueue();
    await beginCard(id);
    await settle(id, 'approved');
    const rows = await database.query<{ what: string; xmin: string }>(
      `select status as what, xmin::text from approvals where id = $1
       union all select kind, xmin::text from outbox where approval_id = $1 and kind = 'outcome'
       union all select type || ' by ' || actor, xmin::text from audit_log
         where approval_id = $1 and type <> 'approval.enqueued'`,
      [id],
    );
    expect(rows.map(({ what }) => what)).toEqual(['approved', 'outcome', 'approval.approved by api:olivia']);
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBe(1);
  });

  it('happens once: the second attempt changes nothing and is shown the true state', async () => {
    const id = await enqueue();
    await beginCard(id);
    const first = await settle(id, 'rejected');
    const second = await settle(id, 'approved');
    expect(first).toMatchObject({ changed: true, approval: { status: 'rejected' } });
    expect(second).toMatchObject({ changed: false, approval: { status: 'rejected' } });
    expect(await count(`audit_log where approval_id = $1`, id)).toBe(2);
    expect(await count(`outbox where approval_id = $1 and kind = 'outcome'`, id)).toBe(1);
  });

  it('goes by the time of the database: possible just before expiresAt, impossible after it with no sweeper at all', async () => {
    const [early, late] = [await enqueue(), await enqueue()];
    await expireAt(early, '5 seconds');
    await expireAt(late, '-1 millisecond');
    expect(await settle(early, 'approved')).toMatchObject({ changed: true });
    expect(await settle(late, 'approved')).toMatchObject({ approval: { status: 'expired' } });
    expect((await replica.store.find(late))?.approval.status).toBe('expired');
    expect(await count(`audit_log where approval_id = $1 and type = 'approval.approved'`, late)).toBe(0);
  });

  it.each(['approved', 'rejected', 'cancelled'] as const)(
    'as %s is refused at expiresAt exactly',
    async (status) => {
      const id = await enqueue();
      // Within one transaction now() stands still: expires_at = now() is exactly the moment of expiry.
      await database.query('begin');
      const [{ now } = { now: null }] = await database.query<{ now: Date }>(`select now() as now`);
      const by = ['api', 'olivia', 'Olivia'];
      const settleWhenLeft = async (left: string) => {
        await database.query(`update approvals set expires_at = now() + $2::interval where id = $1`, [
          id,
          left,
        ]);
        return status === 'cancelled'
          ? database.query(CANCEL.text, [id, ...by, null, null, []])
          : database.query(SETTLE.text, [
              id,
              status,
              ...by,
              null,
              [],
              now,
              'a.b.c',
              true,
              null,
              [],
              null,
              null,
              null,
            ]);
      };
      const late = await settleWhenLeft('0');
      const inTime = await settleWhenLeft('1 microsecond');
      await database.query('rollback');
      expect(late).toEqual([]);
      expect(inTime).toHaveLength(1);
    },
  );

  it.each(['-6 seconds', '1 second'])(
    'at a time that was signed %s from now by the clock of the database changes nothing',
    async (away) => {
      const id = await enqueue();
      const settleAt = async (moment: string) => {
        const [{ at } = { at: null }] = await database.query<{ at: Date }>(
          `select now() + $1::interval as at`,
          [moment],
        );
        const values = [
          id,
          'approved',
          'api',
          'olivia',
          'Olivia',
          null,
          [],
          at,
          'a.b.c',
          true,
          null,
          [],
          null,
          null,
          null,
        ];
        return database.query(SETTLE.text, values);
      };
      expect(await settleAt(away)).toEqual([]);
      expect(await count(`receipts where approval_id = $1`, id)).toBe(0);
      expect(await settleAt('-4 seconds')).toHaveLength(1);
    },
  );

  it('ends an overdue request as expired when somebody comes too late, and says that this did it', async () => {
    const id = await enqueue();
    await expireAt(id, '-1 second');
    expect(await settle(id, 'approved')).toMatchObject({ changed: true, approval: { status: 'expired' } });
    expect(await settle(id, 'approved')).toMatchObject({ changed: false, approval: { status: 'expired' } });
    expect(await count(`audit_log where approval_id = $1 and type = 'approval.expired'`, id)).toBe(1);
  });

  it('too late waits for the one who is ending the request just now, and is shown what came of it', async () => {
    const id = await enqueue();
    await expireAt(id, '-1 second');
    await database.query('begin');
    await database.query(
      `update approvals set status = 'expired', settled_at = now(), settled_by_kind = 'system',
         settled_by_id = 'timeout' where id = $1`,
      [id],
    );
    const late = settle(id, 'approved');
    await untilBlocked();
    await database.query('commit');
    expect(await late).toMatchObject({ changed: false, approval: { status: 'expired' } });
  });

  it('of an unknown id is refused', async () => {
    await expect(settle('019b0000-0000-7000-8000-000000000000', 'approved')).rejects.toMatchObject({
      code: 'approval.not-found',
    });
  });
});

describe('settling what was seen before', () => {
  /** As the database last said it of a request, and its time now. */
  async function seen(id: string): Promise<Snapshot> {
    const snapshot = await replica.store.find(id);
    if (!snapshot) throw new Error('nothing to see');
    return snapshot;
  }

  const approveAsSeen = (id: string, lastSeen: Snapshot) =>
    attempt(replica, { id, verdict: 'approved', by: OLIVIA }, lastSeen);

  async function showCard(id: string, displayDigest: string): Promise<void> {
    await database.query(
      `insert into cards (approval_id, chat_id, nonce, message_id, display_digest, created_at, sent_at)
       values ($1, -1001, $2, 1, $3, now(), now())`,
      [id, randomUUID(), displayDigest],
    );
  }

  const signedDigest = ({ approval }: Attempt): unknown =>
    'receipt' in approval && decodeJwt(approval.receipt ?? '')['displayDigest'];

  it('takes one statement after its read, and its receipt speaks of the card that was seen', async () => {
    const id = await enqueue();
    await showCard(id, digestOf('card'));
    const lastSeen = await seen(id);
    const statements = jest.spyOn(replica.database, 'query');
    try {
      const tried = await approveAsSeen(id, lastSeen);
      expect(tried).toMatchObject({ changed: true, approval: { status: 'approved' } });
      expect(statements.mock.calls.map(([{ name }]) => name)).toEqual([SETTLE.name]);
      expect(signedDigest(tried)).toBe(digestOf('card'));
    } finally {
      statements.mockRestore();
    }
  });

  it('reads again when another card is in the chat by now, and signs that one', async () => {
    const id = await enqueue();
    const lastSeen = await seen(id);
    await showCard(id, digestOf('came later'));
    const tried = await approveAsSeen(id, lastSeen);
    expect(tried).toMatchObject({ changed: true, approval: { status: 'approved' } });
    expect(signedDigest(tried)).toBe(digestOf('came later'));
  });

  it.each([
    ['longer ago than a receipt may be dated back', -6_000],
    ['ahead of the clock of the database', 60_000],
  ])('reads the time again when it is %s', async (_, offsetMs) => {
    const id = await enqueue();
    const lastSeen = await seen(id);
    const { now } = lastSeen;
    const tried = await approveAsSeen(id, { ...lastSeen, now: new Date(now.getTime() + offsetMs) });
    expect(tried).toMatchObject({ changed: true, approval: { status: 'approved' } });
    const { settledAt } = tried.approval as DecidedApproval;
    expect(settledAt.getTime()).toBeGreaterThanOrEqual(now.getTime());
    expect(settledAt.getTime()).toBeLessThan(now.getTime() + 10_000);
  });

  it('is shown what stands when somebody was faster', async () => {
    const id = await enqueue();
    const lastSeen = await seen(id);
    await settle(id, 'rejected');
    expect(await approveAsSeen(id, lastSeen)).toMatchObject({
      changed: false,
      approval: { status: 'rejected' },
    });
    expect(await count(`audit_log where approval_id = $1`, id)).toBe(2);
  });

  it('that never stands as it was read is given up after a while, unsettled', async () => {
    const id = await enqueue();
    const query = replica.database.query.bind(replica.database);
    const statements = jest
      .spyOn(replica.database, 'query')
      .mockImplementation((statement, values) =>
        statement === SETTLE ? Promise.resolve([]) : query(statement, values),
      );
    try {
      await expect(settle(id, 'approved')).rejects.toMatchObject({ code: 'database.unavailable' });
      expect(statements.mock.calls.filter(([statement]) => statement === SETTLE)).toHaveLength(5);
    } finally {
      statements.mockRestore();
    }
    expect((await replica.store.find(id))?.approval.status).toBe('pending');
  });

  it('is too late from expiresAt on, whatever was seen', async () => {
    const id = await enqueue();
    const lastSeen = await seen(id);
    await expireAt(id, '-1 second');
    expect((await approveAsSeen(id, lastSeen)).approval.status).toBe('expired');
  });
});

describe('the grace period', () => {
  it('refuses decisions from expiresAt on, and turns the status only after it', async () => {
    const graceful = await openTestStore(database.url, { APPROVAL_GRACE_PERIOD_SECONDS: '60' });
    try {
      const id = await enqueue();
      await expireAt(id, '-30 seconds');
      const tried = await attempt(graceful, { id, verdict: 'approved', by: OLIVIA });
      expect(tried).toMatchObject({ changed: false, approval: { status: 'pending' } });
      expect(await graceful.store.expireOverdue([id])).toEqual([]);
      const snapshot = await graceful.store.find(id);
      expect(snapshot?.endsInMs).toBeGreaterThan(0);
      expect(snapshot?.endsInMs).toBeLessThanOrEqual(30_000);

      await expireAt(id, '-61 seconds');
      expect(await graceful.store.expireOverdue([id])).toMatchObject([{ id, status: 'expired' }]);
    } finally {
      await graceful.close();
    }
  });
});

describe('expiring', () => {
  it('ends what is due, oldest first, up to the limit, and nothing else', async () => {
    await expireAll();
    const ids = [await enqueue(), await enqueue(), await enqueue(), await enqueue()] as const;
    await expireAt(ids[0], '-1 second');
    await expireAt(ids[1], '-3 seconds');
    await expireAt(ids[2], '-2 seconds');
    expect((await replica.store.expireDue(2, null)).map(({ id }) => id).sort()).toEqual(
      [ids[1], ids[2]].sort(),
    );
    expect((await replica.store.expireDue(2, null)).map(({ id }) => id)).toEqual([ids[0]]);
    expect(await replica.store.expireDue(2, null)).toEqual([]);
    expect((await replica.store.find(ids[3]))?.approval.status).toBe('pending');
  });

  it('leaves out what became due before the moment it was told, unless the clock stands before that', async () => {
    await expireAll();
    const [recent, old] = [await enqueue(), await enqueue()];
    await expireAt(recent, '-50 seconds');
    await expireAt(old, '-70 seconds');
    const since = async (interval: string) => {
      const [row] = await database.query<{ at: Date }>(`select now() + $1::interval as at`, [interval]);
      return (row as { at: Date }).at;
    };
    expect((await replica.store.expireDue(10, await since('-60 seconds'))).map(({ id }) => id)).toEqual([
      recent,
    ]);
    expect(await replica.store.expireDue(10, await since('-60 seconds'))).toEqual([]);
    expect((await replica.store.lookForDue(await since('-60 seconds'))).due).toBe(false);
    expect((await replica.store.lookForDue(null)).due).toBe(true);
    expect((await replica.store.lookForDue(await since('1 hour'))).due).toBe(true);
    expect((await replica.store.expireDue(10, await since('1 hour'))).map(({ id }) => id)).toEqual([old]);
  });

  it('looks as far as the database is, and beyond the grace not at all', async () => {
    await expireAll();
    const graceful = await openTestStore(database.url, { APPROVAL_GRACE_PERIOD_SECONDS: '60' });
    try {
      const id = await enqueue();
      await expireAt(id, '-50 seconds');
      const [before] = await database.query<{ at: Date }>(
        `select date_trunc('milliseconds', now() - interval '60 seconds') as at`,
      );
      const look = await graceful.store.lookForDue(null);
      const [after] = await database.query<{ at: Date }>(`select now() - interval '60 seconds' as at`);
      expect(look.due).toBe(false);
      expect(look.until.getTime()).toBeGreaterThanOrEqual(before?.at.getTime() ?? NaN);
      expect(look.until.getTime()).toBeLessThanOrEqual(after?.at.getTime() ?? NaN);
      expect((await replica.store.lookForDue(null)).due).toBe(true);
    } finally {
      await graceful.close();
    }
  });

  it('under a held snapshot reads nothing of what became due, and ended, before the moment it was told', async () => {
    await expireAll();
    const ids = await Promise.all(Array.from({ length: 300 }, () => enqueue({ keyId: 'held' })));
    await database.query(
      `update approvals set expires_at = now() - interval '10 seconds' where id = any($1)`,
      [ids],
    );
    const [holder, reader] = [0, 1].map(() => new Client({ connectionString: database.url })) as [
      Client,
      Client,
    ];
    await Promise.all([holder.connect(), reader.connect()]);
    try {
      await holder.query('begin isolation level repeatable read');
      await holder.query('select count(*) from approvals');
      await expireAll();
      // The table of a test is small enough to be read as a whole.
      await reader.query('set enable_seqscan = off');
      const blocksRead = async (after: Date | null) => {
        const { rows } = await reader.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
          `explain (analyze, buffers, format json) ${LOOK_FOR_DUE.text}`,
          [0, after],
        );
        const plan = rows[0]?.['QUERY PLAN'][0].Plan;
        return (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN);
      };
      const { until } = await replica.store.lookForDue(null);
      expect(await blocksRead(null)).toBeGreaterThan(10);
      expect(await blocksRead(new Date(until.getTime() - 3_000))).toBeLessThan(10);
    } finally {
      await Promise.all([holder.end(), reader.end()]);
    }
  });

  it('leaves a row that another replica holds to it, and does not wait', async () => {
    await expireAll();
    const [held, free] = [await enqueue(), await enqueue()];
    await expireAt(held, '-2 seconds');
    await expireAt(free, '-1 second');
    await database.query('begin');
    try {
      await database.query(`select 1 from approvals where id = $1 for update`, [held]);
      expect((await replica.store.expireDue(10, null)).map(({ id }) => id)).toEqual([free]);
      expect((await replica.store.lookForDue(null)).due).toBe(true);
    } finally {
      await database.query('rollback');
    }
    expect((await replica.store.expireDue(10, null)).map(({ id }) => id)).toEqual([held]);
  });

  it('tells every one of more than fit into one NOTIFY', async () => {
    await expireAll();
    const listener = new Client({ connectionString: database.url });
    await listener.connect();
    try {
      const told: string[] = [];
      listener.on('notification', ({ payload }) => told.push(...(payload ?? '').split(',')));
      await listener.query('listen approval_settled');
      const ids = await Promise.all(Array.from({ length: 450 }, () => enqueue({ keyId: 'many' })));
      await database.query(`update approvals set expires_at = now() where key_id = 'many'`);
      expect(await replica.store.expireDue(500, null)).toHaveLength(450);
      await until('all ids were notified', () => told.length >= 450);
      expect(told.sort()).toEqual(ids.sort());
    } finally {
      await listener.end();
    }
  });
});

describe('listing', () => {
  const pageOf = (keyId: string, limit: number, beforeId: string | null): Promise<ApprovalsFound> =>
    replica.store.list({
      keyId,
      status: null,
      agentId: null,
      sessionId: null,
      connector: null,
      beforeId,
      limit,
    });

  it('goes newest first from page to page, without a gap and without a duplicate', async () => {
    const made: string[] = [];
    for (let n = 0; n < 25; n++) made.push(await enqueue({ keyId: 'pages' }));
    const seen: { id: string; createdAt: Date }[] = [];
    let beforeId: string | null = null;
    do {
      const page = await pageOf('pages', 7, beforeId);
      seen.push(...page.snapshots.map(({ approval }) => approval));
      beforeId = page.more ? (seen.at(-1)?.id ?? null) : null;
      // What comes meanwhile is newer, and moves nothing.
      await enqueue({ keyId: 'pages' });
    } while (beforeId !== null);
    expect(seen.map(({ id }) => id).sort()).toEqual(made.sort());
    const times = seen.map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  it('ends a page after about 2 MiB of requests, and the next one goes on where it ended', async () => {
    const made: string[] = [];
    for (let n = 0; n < 20; n++)
      made.push(await enqueue({ keyId: 'large', toolInput: { n, command: randomText(250_000) } }));
    const pages: string[][] = [];
    let beforeId: string | null = null;
    do {
      const { snapshots, more } = await pageOf('large', 200, beforeId);
      pages.push(snapshots.map(({ approval }) => approval.id));
      beforeId = more ? (pages.at(-1)?.at(-1) ?? null) : null;
    } while (beforeId !== null);
    expect(pages.map(({ length }) => length)).toEqual([9, 9, 2]);
    expect(pages.flat()).toEqual(made.reverse());
  });

  it('reads one row more than the page has, in the order of the index, whatever else there is', async () => {
    for (let n = 0; n < 60; n++) await enqueue({ keyId: 'planned' });
    await database.query('analyze approvals');
    await database.query(`prepare listed as ${LIST.text}`);
    const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      'explain (analyze, format json) execute listed (0, null, null, null, null, null, 5, null, null, null, null, null, false)',
    );
    await database.query('deallocate listed');
    const nodes = nodesOf(row?.['QUERY PLAN'][0].Plan);
    const scans = nodes.filter((node) => node['Relation Name'] === 'approvals');
    expect(scans.map((node) => [node['Node Type'], node['Actual Rows']])).toEqual([['Index Scan', 6]]);
  });
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly Plans?: readonly PlanNode[];
}

function nodesOf(plan: PlanNode | undefined): PlanNode[] {
  return plan === undefined ? [] : [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Of which compression makes nothing smaller. */
const randomText = (length: number): string => randomBytes(length / 2).toString('hex');

describe('when PostgreSQL asks to try again', () => {
  afterEach(() =>
    database.query(`drop trigger if exists fault on approvals; drop sequence if exists fault_count`),
  );

  /** The next `times` inserts of approvals fail as PostgreSQL fails them. */
  const failInserts = (sqlState: string, times: number) =>
    database.query(`
      create sequence fault_count;
      create or replace function fault() returns trigger language plpgsql as $$
      begin
        if nextval('fault_count') <= ${times} then raise exception 'provoked' using errcode = '${sqlState}'; end if;
        return new;
      end $$;
      create trigger fault before insert on approvals for each row execute function fault()`);

  it.each(['40001', '40P01'])('after %s, the request is stored once all the same', async (sqlState) => {
    await failInserts(sqlState, 3);
    const id = await enqueue({ correlationId: `retried-${sqlState}` });
    expect(await count(`approvals where correlation_id = $1`, `retried-${sqlState}`)).toBe(1);
    expect(await count(`audit_log where approval_id = $1`, id)).toBe(1);
  });

  it('for ever, the caller is told to come back', async () => {
    await failInserts('40001', 1_000_000);
    await expect(enqueue()).rejects.toMatchObject({ code: 'database.unavailable' });
  });

  it('with an error of our own making, it is not tried again', async () => {
    await failInserts('22000', 1);
    await expect(enqueue()).rejects.toThrow('provoked');
    const [row] = await database.query<{ last: string }>(`select last_value as last from fault_count`);
    expect(Number(row?.last)).toBe(1);
  });
});

describe('where the statistics are from when little was pending', () => {
  beforeAll(async () => {
    const ask = () => Promise.all(Array.from({ length: 300 }, () => enqueue({ keyId: 'many' })));
    await ask();
    await database.query(`update approvals set expires_at = now() - interval '10 seconds'`);
    await expireAll();
    await database.query('analyze approvals');
    await ask();
  });

  async function indexesOf({ text }: Statement): Promise<string[]> {
    const plan = await database.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`);
    const indexes = plan.flatMap((line) => /using (\w+) on approvals/.exec(line['QUERY PLAN'])?.[1] ?? []);
    return [...new Set(indexes)];
  }

  it.each([SETTLE, CANCEL, JOIN, DEPART, EXPLAIN_REFUSAL, EXPIRE_OVERDUE])(
    '$name finds a request by its id',
    async (statement) => {
      expect(await indexesOf(statement)).toEqual(['pk_approvals']);
    },
  );

  it('what is due is looked for by its time, not by stepping through all that is pending', async () => {
    expect(await indexesOf(LOOK_FOR_DUE)).toEqual(['ix_approvals_due']);
  });

  it('what is due is ended by its time', async () => {
    expect(await indexesOf(EXPIRE_DUE)).toEqual(['ix_approvals_due', 'pk_approvals']);
  });
});

it.each([
  ['a read', FIND, (id: string) => [0, id, null, false]],
  ['a look at what is awaited', LOOK, (id: string) => [0, [id]]],
])('%s is not planned anew each time', async (_, { text }, valuesOf) => {
  const values = valuesOf(await enqueue());
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    // PostgreSQL compares the costs after five plans.
    for (let n = 0; n < 6; n++) await client.query({ name: 'repeated', text, values });
    const { rows } = await client.query('select generic_plans::int as generic from pg_prepared_statements');
    expect(rows).toEqual([{ generic: 1 }]);
  } finally {
    await client.end();
  }
});

it('one key does not hide the pending requests of others, however many it has and however soon they end', async () => {
  await database.query(`update approvals set expires_at = now() where status = 'pending'`, []);
  const ask = async (keyId: string, endsIn: string): Promise<string> => {
    const id = await enqueue();
    await expireAt(id, endsIn);
    await database.query(`update approvals set key_id = $2 where id = $1`, [id, keyId]);
    return id;
  };
  const many: string[] = [];
  for (let n = 1; n <= 4; n++) many.push(await ask('greedy', `${n} minutes`));
  const other = await ask('other', '30 minutes');
  const pending = async (limit: number) => (await replica.store.pending(limit)).map(({ id }) => id);
  expect(await pending(5)).toEqual([...many.slice(0, 4), other]);
  expect(await pending(3)).toEqual([many[0], many[1], other]);
});
