import type { Call } from '../support/generator';
import { Scrape } from '../support/scrape';
import { ENQUEUE, KEYS, LoadRig, type LoadedService, waitersAre } from '../support/load-rig';
import { Api } from '../support/api';

let rig: LoadRig;

beforeAll(async () => {
  rig = await LoadRig.set();
});
beforeEach(() => rig.database.query('truncate approvals, audit_log, outbox'));
afterAll(() => rig.strike());

const enqueues = (count: number): Call[] =>
  Array.from({ length: count }, (_, n) => ({
    method: 'POST',
    ...ENQUEUE,
    body: {
      agentId: 'load',
      sessionId: `session-${n}`,
      toolName: 'Bash',
      toolInput: { command: `echo ${n}` },
    },
  }));

it('a flood beyond the pending cap is answered with 429 and Retry-After, and nobody else notices', async () => {
  const { service, target } = await rig.service({ APPROVAL_MAX_PENDING_PER_AGENT: '100' });
  const answers = await rig.callers.run('calls', { target, calls: enqueues(2_000), connections: 50 });
  expect(answers).toEqual({ 201: 100, 429: 1_900 });
  expect(await rig.count(`status = 'pending'`)).toBe(100);
  const api = new Api(service.url);
  const refused = await api.enqueue();
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  // Deciding makes room again.
  const [first] = (await api.call<{ items: { id: string }[] }>('operator', 'GET', '/api/approvals')).body
    .items;
  expect((await api.decide(first?.id ?? '', 'approved')).status).toBe(200);
  expect((await api.enqueue()).status).toBe(201);
  await service.stop();
});

describe('with a single connection to the database', () => {
  let loaded: LoadedService;

  beforeAll(async () => {
    loaded = await rig.service({ DATABASE_POOL_SIZE: '1' });
  });

  it('three hundred calls at once wait their turn and are all answered', async () => {
    const calls = enqueues(3_000);
    const answers = await rig.callers.run('calls', { target: loaded.target, calls, connections: 300 });
    expect(answers).toEqual({ 201: 3_000 });
  });

  it('a thousand waiters hold none: others are served, and the waiters hear', async () => {
    const ids = await rig.pending(1_000);
    await rig.callers.run('park', { target: loaded.target, key: KEYS.agent, ids });
    await waitersAre(loaded, 1_000);
    const scrape = await Scrape.of(loaded.service.url);
    expect(scrape.value('database_pool_connections_max')).toBe(1);
    expect(scrape.value('database_pool_waiting')).toBe(0);
    const calls = ids.map((id): Call => {
      const body = { decision: 'approved' };
      return { method: 'POST', path: `/api/approvals/${id}/decision`, key: KEYS.operator, body };
    });
    expect(await rig.callers.run('calls', { target: loaded.target, calls, connections: 20 })).toEqual({
      200: 1_000,
    });
    await waitersAre(loaded, 0);
    expect(await rig.callers.run('parked')).toMatchObject({ answered: 1_000, resets: 0 });
    await rig.callers.run('leave');
  });
});
