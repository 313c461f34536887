import { execFileSync } from 'node:child_process';
import { Api } from '../support/api';
import type { Call } from '../support/generator';
import { KEYS, LoadRig, metricOf, waitersAre, type LoadedService } from '../support/load-rig';
import { until } from '../support/until';

const WANTED = 10_000;
/** File descriptors that a process needs beside its waiters. */
const OTHER_FILES = 500;
/** The service keeps a quarter of its connections for calls that are answered at once. */
const HELD_PART = 0.75;

/** Each waiter is an open file of the service and one of its caller: `ulimit -n` bounds them, 1 024 on many systems. */
function possibleWaiters(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  const possible =
    limit === 'unlimited' ? WANTED : Math.min(WANTED, Math.floor((Number(limit) - OTHER_FILES) * HELD_PART));
  if (possible < WANTED)
    console.warn(
      `SCALED DOWN: ${possible} waiters instead of ${WANTED}, since ulimit -n is ${limit}; raise it above ${WANTED / HELD_PART + OTHER_FILES}`,
    );
  return possible;
}

const WAITERS = possibleWaiters();
const decision = (id: string): Call => ({
  method: 'POST',
  path: `/api/approvals/${id}/decision`,
  key: KEYS.operator,
  body: { decision: 'approved' },
});

let rig: LoadRig;
let loaded: LoadedService;

beforeAll(async () => {
  rig = await LoadRig.set();
  loaded = await rig.service();
});
beforeEach(() => rig.database.query('truncate approvals, audit_log, outbox'));
afterEach(() => rig.callers.run('leave'));
afterAll(() => rig.strike());

it(`${WAITERS} parked waiters with churn: who leaves is forgotten, who comes is parked, who is decided hears`, async () => {
  const { target } = loaded;
  const parked = Math.floor(WAITERS * 0.8);
  const leaving = WAITERS - parked;
  const ids = await rig.pending(parked);
  await rig.callers.run('park', { target, key: KEYS.agent, ids });
  await waitersAre(loaded, parked);
  // As many come as leave, at the same time.
  const newcomers = await rig.pending(leaving);
  await Promise.all([
    rig.callers.run('leave', leaving),
    rig.callers.run('park', { target, key: KEYS.agent, ids: newcomers }),
  ]);
  await waitersAre(loaded, parked);

  const decided = newcomers.slice(0, 1_000);
  const answers = await rig.callers.run('calls', { target, calls: decided.map(decision), connections: 20 });
  expect(answers).toEqual({ 200: decided.length });
  await until(
    'they have heard',
    async () => (await rig.callers.run('parked')).answered === decided.length,
    30_000,
  );
  expect(await rig.callers.run('parked')).toMatchObject({ parked, resets: 0 });
});

it('waiters that all vanish at once leave nothing behind', async () => {
  const ids = await rig.pending(WAITERS);
  await rig.callers.run('park', { target: loaded.target, key: KEYS.agent, ids });
  await waitersAre(loaded, WAITERS);
  await rig.callers.run('leave');
  await waitersAre(loaded, 0);
  expect((await new Api(loaded.service.url).enqueue()).status).toBe(201);
});

it('slow readers hold up nobody: streams and answers that nobody takes, and others are served', async () => {
  const { service, target } = loaded;
  const ids = await rig.pending(500);
  await rig.callers.run('park', { target, key: KEYS.agent, ids, kind: 'stream', slow: true });
  await waitersAre(loaded, 500);
  const answers = await rig.callers.run('calls', { target, calls: ids.map(decision), connections: 20 });
  expect(answers).toEqual({ 200: 500 });
  await waitersAre(loaded, 0);
  const api = new Api(service.url);
  const { body: approval } = await api.enqueue();
  const waiting = api.get(approval.id, 30);
  expect((await api.decide(approval.id, 'rejected')).status).toBe(200);
  expect((await waiting).body.status).toBe('rejected');
});

it('SIGTERM with parked waiters: every one is answered as it stands, none is cut off, and the exit is clean', async () => {
  const leaver = await rig.service();
  const count = Math.floor(WAITERS / 2);
  const ids = await rig.pending(count);
  await rig.callers.run('park', { target: leaver.target, key: KEYS.agent, ids });
  await waitersAre(leaver, count);
  const emptied = rig.callers.run('emptied');
  expect(await leaver.service.stop()).toEqual({ code: 0, signal: null });
  expect(await emptied).toEqual(expect.objectContaining({ parked: count, answered: count, resets: 0 }));
  expect(await metricOf(loaded, 'escalation_queue_size')).toBe(count);
});
