import { Api, type ApprovalJson } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { issueKey } from '../../support/keys';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { until } from '../../support/until';

/** security.md 24: a grant ends, whatever races with it on three replicas, and is never used once too often. */

let database: TestDatabase;
let replicas: OpenApp[];
let admin: string;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  replicas = await Promise.all([0, 1, 2].map(() => openTestApp(database.url)));
});
afterAll(async () => {
  for (const replica of replicas) await replica.close();
  await database.drop();
});
beforeEach(() => clear());

/** Requests that wait would be settled by the next grant. */
async function clear(): Promise<void> {
  await database.query(`update grants set revoked_at = now(), revoked_by = 'test', revoked_why = 'revoked'
    where revoked_at is null`);
  await database.query(`update approvals set status = 'cancelled', settled_at = now(), settled_by_kind = 'system',
    settled_by_id = 'test', settled_by_name = 'test' where status = 'pending'`);
}

const apiOf = (nth: number) => new Api(replicas[nth % replicas.length]?.url ?? '');

async function ask(nth: number, command = 'npm run test'): Promise<ApprovalJson> {
  const { status, body } = await apiOf(nth).enqueue({ toolInput: { command }, cwd: '/srv/shop' });
  expect(status).toBe(201);
  return body;
}

async function grant(more: object = {}): Promise<string> {
  const { id } = await ask(0);
  const path = `/api/approvals/${id}/grant-offers`;
  const { body } = await apiOf(0).call<{ offers: { id: string }[] }>('operator', 'GET', path);
  const made = await apiOf(0).call<{ id: string }>('operator', 'POST', '/api/grants', {
    approvalId: id,
    offer: body.offers[1]?.id,
    ...more,
  });
  expect(made.status).toBe(201);
  return made.body.id;
}

async function usesOf(id: string): Promise<number> {
  const [row] = await database.query<{ uses: number }>('select uses from grants where id = $1', [id]);
  return row?.uses ?? -1;
}

async function answeredBy(id: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(*)::int as count from approvals where settled_by_kind = 'grant' and settled_by_id = $1`,
    [id],
  );
  return row?.count ?? -1;
}

const burst = (count: number) => Promise.all(Array.from({ length: count }, (_, nth) => ask(nth)));

describe('security 24: grants end', () => {
  it('answers as many requests as it has uses, of many at once on all replicas', async () => {
    for (const uses of [1, 7, 20]) {
      await clear();
      const id = await grant({ uses });
      const asked = await burst(45);
      expect(asked.filter(({ status }) => status === 'approved')).toHaveLength(uses);
      expect([await usesOf(id), await answeredBy(id)]).toEqual([uses, uses]);
    }
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['a revocation', (id) => apiOf(1).call('operator', 'DELETE', `/api/grants/${id}`)],
    [
      'a rejection in its session',
      async () => apiOf(2).decide((await ask(2, 'rm -rf build')).id, 'rejected'),
    ],
    [
      'the end of its session',
      async (id) => {
        const end = {
          hook_event_name: 'SessionEnd',
          session_id: 'session-1',
          cwd: '/srv/shop',
          reason: 'exit',
        };
        await apiOf(1).call('agent', 'POST', '/connectors/claude-code/hook', end);
        await until('the report is handled', async () => {
          const open = await database.query('select from grants where id = $1 and revoked_at is null', [id]);
          return open.length === 0;
        });
      },
    ],
    [
      'another version of the policy',
      async () => {
        const [row] = await database.query<{ version: string | null }>(
          'select active_version as version from policy_state',
        );
        const replaces = row?.version ? { 'if-match': row.version } : { 'if-none-match': '*' };
        const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', ...replaces };
        const body = `version: 1\nrules:\n  - { id: r${Date.now()}, decision: deny, match: { tool: Nothing } }\n`;
        const { status } = await fetch(`${replicas[1]?.url}/api/policy`, { method: 'PUT', headers, body });
        expect(status).toBe(200);
      },
    ],
    [
      'the end of its time',
      (id) =>
        database.query(
          `update grants set made_at = made_at - interval '1 hour', expires_at = now() where id = $1`,
          [id],
        ),
    ],
  ])('answers nothing after %s, on any replica, and every use is counted', async (_, end) => {
    const id = await grant();
    const before = [burst(15), burst(15)];
    await end(id);
    const after = await burst(15);
    expect(after.filter(({ status }) => status !== 'pending')).toEqual([]);
    await Promise.all(before);
    expect(await usesOf(id)).toBe(await answeredBy(id));
  });

  it('is made once from one request, however many ask for it at once', async () => {
    const { id } = await ask(0);
    const path = `/api/approvals/${id}/grant-offers`;
    const { body } = await apiOf(0).call<{ offers: { id: string }[] }>('operator', 'GET', path);
    const made = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((nth) =>
        apiOf(nth).call('operator', 'POST', '/api/grants', {
          approvalId: id,
          offer: body.offers[nth % 2]?.id,
        }),
      ),
    );
    expect(made.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409]);
    const grants = await database.query('select 1 from grants where approval_id = $1', [id]);
    expect(grants).toHaveLength(1);
  });

  it('leaves nothing half done when the database ends the session that makes it', async () => {
    const { id } = await ask(0);
    const sibling = await ask(1);
    const path = `/api/approvals/${id}/grant-offers`;
    const { body } = await apiOf(0).call<{ offers: { id: string }[] }>('operator', 'GET', path);
    const making = apiOf(0).call<{ id: string }>('operator', 'POST', '/api/grants', {
      approvalId: id,
      offer: body.offers[1]?.id,
    });
    for (let nth = 0; nth < 20; nth++) {
      await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like '%insert into grants%' and pid <> pg_backend_pid()`,
      );
    }
    const { status } = await making;
    const grants = await database.query<{ uses: number }>('select uses from grants where approval_id = $1', [
      id,
    ]);
    const states = await Promise.all(
      [id, sibling.id].map(async (each) => (await apiOf(2).get(each)).body.status),
    );
    if (status === 201) expect([grants, states]).toEqual([[{ uses: 1 }], ['approved', 'approved']]);
    else expect([status, grants, states]).toEqual([503, [], ['pending', 'pending']]);
  });
});
