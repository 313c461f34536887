import { randomUUID } from 'node:crypto';
import { Api, type Answer, type ApprovalJson } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { issueKey, keyIs } from '../../support/keys';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { OPERATOR_KEY } from '../../support/well-known';

let database: TestDatabase;
let replicas: OpenApp[];
let mine: Api;
let theirs: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([openTestApp(database.url), openTestApp(database.url)]);
  const key = await issueKey(database, 'agent', 'other-agent');
  const url = replicas[0]?.url ?? '';
  await keyIs(true, url, key);
  mine = new Api(url);
  theirs = new Api(url, { agent: key, operator: OPERATOR_KEY });
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.close()));
  await database.drop();
});

function replica(n: number): OpenApp {
  const found = replicas[n % replicas.length];
  if (!found) throw new Error('no replica runs');
  return found;
}

const endingsOf = async (id: string): Promise<string[]> =>
  (
    await database.query<{ type: string }>(
      `select type from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused' order by seq`,
      [id],
    )
  ).map(({ type }) => type);

/** Attempts that came too late, as the audit log has them. */
const refusedOf = (id: string) =>
  database.query<{ type: string; actor: string; reason: string }>(
    `select type, actor, data::json ->> 'reason' as reason from audit_log
     where approval_id = $1 and type like '%-refused' order by seq`,
    [id],
  );

it('security 6: one decision wins: 50 parallel approve, reject, cancel and timeout, on two replicas', async () => {
  for (let round = 0; round < 5; round++) {
    const { id } = (await mine.enqueue()).body;
    const attempts = Array.from({ length: 50 }, (_, n) => {
      const api = new Api(replica(n).url);
      if (n === 25)
        void database.query(`update approvals set expires_at = now() where id = $1 and status = 'pending'`, [
          id,
        ]);
      if (n % 5 === 4)
        return replica(n)
          .sweeper.sweep()
          .then(() => null);
      if (n % 3 === 0) return api.decide(id, 'approved', `${n}`);
      return n % 3 === 1 ? api.decide(id, 'rejected', `${n}`) : api.cancel(id, `${n}`);
    });
    const answers = (await Promise.all(attempts)).filter(
      (answer): answer is Answer<ApprovalJson> => !!answer,
    );
    const truth = (await mine.get(id)).body;
    expect(await endingsOf(id)).toEqual([`approval.${truth.status}`]);
    expect(await refusedOf(id)).toHaveLength(answers.filter(({ status }) => status === 409).length);
    for (const { status, body } of answers) {
      expect([200, 409]).toContain(status);
      // Whoever was told it is done, was told what stands.
      const shown = status === 200 ? body : (body.approval as ApprovalJson);
      if (shown.status !== 'pending')
        expect([shown.status, shown.settledAt]).toEqual([truth.status, truth.settledAt]);
      if (status === 200) expect(shown.status).toBe(truth.status);
    }
  }
});

it('security 7: expired never approves: a decision 1 ms late, with the sweeper stopped and the clock of the replica wrong', async () => {
  const { id } = (await mine.enqueue()).body;
  await database.query(
    `update approvals set created_at = created_at - interval '1 hour',
       expires_at = date_trunc('milliseconds', now()) - interval '1 millisecond' where id = $1`,
    [id],
  );
  jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 600_000);
  try {
    const late = await mine.decide(id, 'approved');
    expect([late.status, (late.body.approval as ApprovalJson).status]).toEqual([409, 'expired']);
  } finally {
    jest.restoreAllMocks();
  }
  expect(await endingsOf(id)).toEqual(['approval.expired']);
  const [refused] = await refusedOf(id);
  expect(refused).toEqual({
    type: 'approval.decision-refused',
    actor: 'api:bootstrap-operator',
    reason: expect.stringMatching(/^(expired|already-settled)$/) as string,
  });
});

describe("security 15: agents see only their own: another agent's id is 404, with the same body as an unknown one", () => {
  const routes: readonly [string, 'GET' | 'POST', string, unknown][] = [
    ['reading', 'GET', '', undefined],
    ['waiting', 'GET', '?wait=1', undefined],
    ['following', 'GET', '/events', undefined],
    ['cancelling', 'POST', '/cancel', {}],
    ['acknowledging', 'POST', '/ack', { outcome: 'resumed' }],
  ];

  it.each(routes)('%s', async (_what, method, rest, body) => {
    const foreign = (await theirs.enqueue()).body.id;
    const [refused, unknown] = await Promise.all(
      [foreign, randomUUID()].map((id) => mine.call('agent', method, `/api/approvals/${id}${rest}`, body)),
    );
    expect([refused?.status, unknown?.status]).toEqual([404, 404]);
    // Only the correlation id, which is each call's own, tells them apart.
    expect({ ...refused?.body, correlationId: null }).toEqual({ ...unknown?.body, correlationId: null });
    expect((await theirs.get(foreign)).body.status).toBe('pending');
  });

  it('listing shows own requests only, whatever is filtered for', async () => {
    const foreign = (await theirs.enqueue({ agentId: 'shared', sessionId: 'shared' })).body.id;
    const own = (await mine.enqueue({ agentId: 'shared', sessionId: 'shared' })).body.id;
    for (const query of ['', '?agentId=shared', '?sessionId=shared&status=pending']) {
      const list = await mine.call<{ items: ApprovalJson[] }>('agent', 'GET', `/api/approvals${query}`);
      const ids = list.body.items.map(({ id }) => id);
      expect(ids).toContain(own);
      expect(ids).not.toContain(foreign);
    }
  });
});

describe('security 16: idempotency is exact', () => {
  it.each([
    ['another summary', { summary: 'x' }],
    ['another action', { toolInput: { command: 'rm -rf /' } }],
    ['another timeout', { timeoutSeconds: 60 }],
    ['another session', { sessionId: 'other' }],
    ['a field set to null that was absent', { cwd: null }],
  ])('the same key with %s is 422, and nothing is stored', async (_what, more) => {
    const key = { 'idempotency-key': randomUUID() };
    const first = await mine.enqueue({}, key);
    const second = await mine.enqueue(more, key);
    expect([first.status, second.status]).toEqual([201, 422]);
    const rows = await database.query(`select 1 from approvals where idempotency_key = $1`, [
      key['idempotency-key'],
    ]);
    expect(rows).toHaveLength(1);
  });

  it('in parallel, on two replicas: one row, one 201, and everybody the same approval', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => new Api(replica(n).url).enqueue({}, key)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(49).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  });

  it('the same key of another agent is another request', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const [one, two] = await Promise.all([mine.enqueue({}, key), theirs.enqueue({ summary: 'x' }, key)]);
    expect([one.status, two.status]).toEqual([201, 201]);
    expect(one.body.id).not.toBe(two.body.id);
  });
});
