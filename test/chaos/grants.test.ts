import { Api, type ApprovalJson } from '../support/api';
import { HASTE } from '../support/chaos';
import { Service } from '../support/processes';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';

const USES = 20;
const BURST = 6;

interface Replica {
  readonly service: Service;
  readonly api: Api;
}

let backdrop: Backdrop;
beforeAll(async () => {
  backdrop = await setBackdrop();
});
afterAll(strike);

async function started(): Promise<Replica> {
  const service = await Service.start({ ...backdrop.environment, ...HASTE });
  return { service, api: new Api(service.url) };
}

const TESTS = { toolInput: { command: 'npm run test' }, cwd: '/srv/shop' };

let lastKey = 0;
const newKeys = (count: number): string[] => Array.from({ length: count }, () => `call-${lastKey++}`);

/** The answers to one request with each key; null: none came. */
const ask = ({ api }: Replica, keys: readonly string[]): Promise<(ApprovalJson | null)[]> =>
  Promise.all(
    keys.map((key) =>
      api.enqueue(TESTS, { 'idempotency-key': key }).then(
        ({ body }) => body,
        () => null,
      ),
    ),
  );

async function grant({ api }: Replica): Promise<string> {
  const { body: first } = await api.enqueue(TESTS);
  const path = `/api/approvals/${first.id}/grant-offers`;
  const { body } = await api.call<{ offers: { id: string }[] }>('operator', 'GET', path);
  const made = await api.call<{ id: string }>('operator', 'POST', '/api/grants', {
    approvalId: first.id,
    offer: body.offers[1]?.id,
    uses: USES,
  });
  expect(made.status).toBe(201);
  return made.body.id;
}

async function usesOf(id: string): Promise<{ counted: number; answered: number }> {
  const [row] = await backdrop.database.query<{ counted: number; answered: number }>(
    `select uses as counted, (select count(*)::int from approvals
       where settled_by_kind = 'grant' and settled_by_id = grants.id::text) as answered
     from grants where id = $1`,
    [id],
  );
  return row ?? { counted: -1, answered: -1 };
}

/**
 * Ends the replica while its first use waits for the lock of the grant; the database then goes on. `stop`: it stands still
 * before the database stores the use, and dies after that, so it never reads the answer.
 */
async function killWhileStoring(replica: Replica, id: string, stop: boolean): Promise<string[]> {
  const { database } = backdrop;
  const before = await usesOf(id);
  const keys = newKeys(BURST);
  await database.query('begin');
  await database.query('select from grants where id = $1 for update', [id]);
  const asking = ask(replica, keys);
  await until('a use waits', async () => {
    await database.query('select pg_stat_clear_snapshot()');
    const waiting = await database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
         and query like '%touched as%'`,
    );
    return waiting.length > 0;
  });
  if (stop) replica.service.signal('SIGSTOP');
  else replica.service.killGroup();
  await database.query('commit');
  await until('the use is stored', async () => (await usesOf(id)).counted > before.counted);
  replica.service.killGroup();
  await replica.service.ended;
  expect(await asking).toEqual(keys.map(() => null));
  return keys;
}

it('kill -9 before and after a use is stored leaves none uncounted and none double, whoever repeats the call', async () => {
  let [a, b, c] = await Promise.all([started(), started(), started()]);
  const id = await grant(a);
  for (const stop of [true, false, true]) {
    const keys = await killWhileStoring(a, id, stop);
    const repeated = await ask(b, keys);
    expect(repeated.map((approval) => approval?.status)).toEqual(keys.map(() => 'approved'));
    const { counted, answered } = await usesOf(id);
    expect(counted).toBe(answered);
    expect((await ask(c, keys)).map((each) => each?.id)).toEqual(repeated.map((each) => each?.id));
    expect(await usesOf(id)).toEqual({ counted, answered });
    [a, b, c] = [b, c, await started()];
  }
  const rest = (await Promise.all([a, b, c].map((replica) => ask(replica, newKeys(5))))).flat();
  expect(rest.filter((approval) => approval?.status === 'approved')).toHaveLength(USES - 3 * BURST);
  expect(await usesOf(id)).toEqual({ counted: USES, answered: USES });
});
