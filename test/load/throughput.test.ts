import { ENQUEUE, KEYS, LoadRig, metricOf, type LoadedService } from '../support/load-rig';
import type { Call } from '../support/generator';
import { until } from '../support/until';

const BURST = 10_000;

let rig: LoadRig;
let loaded: LoadedService;

beforeAll(async () => {
  rig = await LoadRig.set();
  loaded = await rig.service();
});
beforeEach(() => rig.database.query('truncate approvals, audit_log, outbox'));
afterAll(() => rig.strike());

const told = (what: string, { p50, p99 }: { p50: number; p99: number }) =>
  console.log(`${what}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);

describe.each([
  ['normal load', 50],
  ['peak load', 100],
])('%s, %d agents side by side', (name, agents) => {
  it('every agent is answered each time it asks, and hears each decision', async () => {
    const each = 10;
    const { target } = loaded;
    const summary = await rig.callers.run('journeys', { target, keys: KEYS, agents, each });
    told(`${name}, asked to heard`, summary);
    expect(summary).toMatchObject({ requests: agents * each, failures: 0 });
    expect(await rig.count(`status = 'approved'`)).toBe(agents * each);
  });
});

it('sustained load, 30 a second: none fails and none waits for the next', async () => {
  const options = { ...ENQUEUE, target: loaded.target, perSecond: 30, seconds: 10 };
  const summary = await rig.callers.run('paced', options);
  told('sustained load', summary);
  expect(summary).toMatchObject({ requests: 300, failures: 0 });
  expect(await rig.count(`status = 'pending'`)).toBe(300);
});

it(`a burst of ${BURST} enqueues: each is stored once, with its audit row, and counted`, async () => {
  const before = await metricOf(loaded, 'escalation_queue_enqueue_total');
  const options = { ...ENQUEUE, target: loaded.target, connections: 100, count: BURST };
  const summary = await rig.callers.run('enqueue', options);
  told('burst', summary);
  expect(summary).toMatchObject({ requests: BURST, failures: 0 });
  expect(await rig.count(`status = 'pending'`)).toBe(BURST);
  const [audited] = await rig.database.query(
    `select count(*)::int as rows, count(distinct approval_id)::int as approvals from audit_log
     where type = 'approval.enqueued'`,
  );
  expect(audited).toEqual({ rows: BURST, approvals: BURST });
  expect((await metricOf(loaded, 'escalation_queue_enqueue_total')) - before).toBe(BURST);
});

it('retries in a burst: a thousand requests under a hundred keys ask a hundred times', async () => {
  const calls = Array.from({ length: 1_000 }, (_, n): Call => {
    const sessionId = `session-${n % 100}`;
    const body = { agentId: 'load', sessionId, toolName: 'Bash', toolInput: { command: 'ls' } };
    return { method: 'POST', ...ENQUEUE, body, idempotencyKey: sessionId };
  });
  const answers = await rig.callers.run('calls', { target: loaded.target, calls, connections: 100 });
  expect(answers).toEqual({ 200: 900, 201: 100 });
  expect(await rig.count('true')).toBe(100);
});

it('queue operations side by side: every one is answered, and each request ends once, as its caller was told', async () => {
  const ids = await rig.pending(900);
  const path = (id: string) => `/api/approvals/${id}`;
  const decision = { decision: 'approved' };
  // Each third meets one rival, and everybody reads.
  const calls = ids.flatMap((id, n): Call[] => {
    const approve: Call = {
      method: 'POST',
      path: `${path(id)}/decision`,
      key: KEYS.operator,
      body: decision,
    };
    const cancel: Call = { method: 'POST', path: `${path(id)}/cancel`, key: KEYS.agent, body: {} };
    const read: Call = { method: 'GET', path: path(id), key: KEYS.agent };
    return (
      [
        [approve, read],
        [cancel, read],
        [approve, cancel, read],
      ][n % 3] ?? []
    );
  });
  const answers = await rig.callers.run('calls', { target: loaded.target, calls, connections: 100 });
  // Of two rivals one is refused, with the true state; nobody else is.
  expect(answers).toEqual({ 200: calls.length - 300, 409: 300 });
  expect(await rig.count(`status in ('approved', 'cancelled')`)).toBe(900);
  const twice = await rig.database.query(
    `select approval_id from audit_log where type <> 'approval.enqueued' and type not like '%-refused' group by approval_id having count(*) > 1`,
  );
  expect(twice).toEqual([]);
});

it('a storm of 5 000 expiries at one moment, three replicas sweeping: each ends once', async () => {
  const impatient = { APPROVAL_SWEEP_INTERVAL_SECONDS: '1' };
  const replicas = await Promise.all([1, 2, 3].map(() => rig.service(impatient)));
  await rig.pending(5_000, '2 seconds');
  await until('all have expired', async () => (await rig.count(`status = 'pending'`)) === 0, 60_000);
  const [ended] = await rig.database.query(
    `select count(*)::int as rows, count(distinct approval_id)::int as approvals from audit_log
     where type = 'approval.expired'`,
  );
  expect(ended).toEqual({ rows: 5_000, approvals: 5_000 });
  await Promise.all(replicas.map(({ service }) => service.stop()));
});
