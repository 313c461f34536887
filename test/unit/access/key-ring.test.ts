import { digestOf } from '../../../src/access/api-key';
import { KeyRing } from '../../../src/access/key-ring';
import type { ActiveKey, KeyStore } from '../../../src/access/key-store';
import type { Identity } from '../../../src/access/identity';
import { parseConfig } from '../../../src/config/environment';
import { createLog } from '../../../src/logging/log';
import { FakeClock } from '../../support/fake-clock';

const KEY = 'k'.repeat(43);
const config = parseConfig({ AGENT_API_KEY: 'a'.repeat(32) });

let table: ActiveKey[];
let away: Error | null;
let reads: number;
let noted: string[][];
let lines: string[];
let clock: FakeClock;
let ring: KeyRing;

const log = createLog({ level: 'trace', format: 'json' }, { write: (line) => void lines.push(line) });
const store = {
  active: () => {
    reads++;
    return away ? Promise.reject(away) : Promise.resolve(table);
  },
  recordUse: (names: string[]) => {
    noted.push(names);
    return away ? Promise.reject(away) : Promise.resolve();
  },
} as unknown as KeyStore;

const entry = (more: Partial<ActiveKey> = {}): ActiveKey => ({
  name: 'deployer',
  role: 'agent',
  owner: null,
  digest: digestOf(KEY).toString('base64'),
  ...more,
});
const known = async () => (await ring.identify(KEY)) as Identity;

beforeEach(async () => {
  table = [entry()];
  away = null;
  reads = 0;
  noted = [];
  lines = [];
  clock = new FakeClock();
  ring = await KeyRing.open(store, clock, log, config);
});
afterEach(() => ring.beforeApplicationShutdown());

it('an issued key is known without a query while what was read is at most a second old', async () => {
  clock.advance(1000);
  expect(ring.identify(KEY)).toMatchObject({ keyId: 'deployer', role: 'agent' });
  expect(reads).toBe(1);
  clock.advance(1);
  expect(await known()).toMatchObject({ keyId: 'deployer' });
  expect(reads).toBe(2);
});

it('security 14: what was read more than a second ago answers nobody while the table is away', async () => {
  const { standing } = await known();
  away = new Error('away');
  clock.advance(1001);
  await expect(known()).rejects.toMatchObject({ code: 'database.unavailable' });
  await expect(standing.confirm()).rejects.toMatchObject({ code: 'database.unavailable' });
  await expect(ring.identify('x'.repeat(43))).rejects.toMatchObject({ code: 'database.unavailable' });
  // Keys of the environment do not hang on the table.
  expect(ring.identify('a'.repeat(32))).toMatchObject({ keyId: 'bootstrap-agent' });
  away = null;
  expect(await known()).toMatchObject({ keyId: 'deployer' });
  await standing.confirm();
});

it('security 14: the table is read four times a second, so that what is revoked ends within one', async () => {
  jest.useFakeTimers();
  try {
    const { standing } = await known();
    const call = new AbortController();
    standing.watch(call);
    ring.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(1000);
    expect(reads).toBe(1 + 4);
    table = [];
    await jest.advanceTimersByTimeAsync(250);
    expect(call.signal.aborted).toBe(true);
  } finally {
    jest.useRealTimers();
  }
});

it('says once that the table is away, and once that it is back', async () => {
  away = new Error('away');
  for (let n = 0; n < 3; n++) {
    clock.advance(1001);
    await expect(known()).rejects.toThrow();
  }
  away = null;
  clock.advance(1001);
  await known();
  const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
  expect(events).toEqual(['access.keys-unreadable', 'access.keys-readable']);
});

it('a read that took so long that it is stale when it comes is followed by another, and nobody is refused', async () => {
  const slowly = () => {
    clock.advance(1500);
    return Promise.resolve(table);
  };
  const active = jest.spyOn(store, 'active').mockImplementationOnce(slowly).mockImplementationOnce(slowly);
  clock.advance(1001);
  expect(await known()).toMatchObject({ keyId: 'deployer' });
  expect(active).toHaveBeenCalledTimes(3);
  jest.restoreAllMocks();
});

it('waits no longer than its patience for a read that does not come back', async () => {
  jest.spyOn(store, 'active').mockReturnValueOnce(new Promise(() => undefined));
  clock.advance(1001);
  await expect(known()).rejects.toMatchObject({ code: 'database.unavailable' });
  jest.restoreAllMocks();
  ring = await KeyRing.open(store, clock, log, config);
});

it.each([
  ['revoked', () => []],
  ['given another role', () => [entry({ role: 'operator' })]],
  ['given another name', () => [entry({ name: 'other' })]],
])('security 14: a key that was %s ends the calls that wait with it', async (_what, after) => {
  const { standing } = await known();
  const call = new AbortController();
  standing.watch(call);
  table = after();
  clock.advance(1001);
  await ring.identify(KEY);
  expect(call.signal.aborted).toBe(true);
  await expect(standing.confirm()).rejects.toMatchObject({ code: 'access.unauthenticated' });
});

it('a key that stays as it was keeps its waiting calls', async () => {
  const { standing } = await known();
  const call = new AbortController();
  standing.watch(call);
  table = [entry(), entry({ name: 'second', digest: 'another' })];
  clock.advance(1001);
  expect((await known()).standing).toBe(standing);
  expect(call.signal.aborted).toBe(false);
});

it('uses are noted together, and again when they could not be', async () => {
  await known();
  await known();
  expect(ring.identify('a'.repeat(32))).not.toBeNull();
  away = new Error('away');
  await ring.beforeApplicationShutdown();
  away = null;
  await ring.beforeApplicationShutdown();
  await ring.beforeApplicationShutdown();
  expect(noted).toEqual([['deployer'], ['deployer']]);
});
