import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Gatekeeper } from '../../../src/access/gatekeeper';
import { ProcessRateLimits } from '../../../src/access/process-rate-limits';
import type { RefusalLog } from '../../../src/audit/refusal-log';
import { parseConfig } from '../../../src/config/environment';
import { DomainError, type RateLimited } from '../../../src/kernel/errors';

const recordFlood = jest.fn(() => Promise.resolve(true));
const refusals = { recordFlood } as unknown as RefusalLog;
const limits = () =>
  new ProcessRateLimits(
    refusals,
    parseConfig({
      RATE_LIMIT_AGENT_PER_MINUTE: '3',
      RATE_LIMIT_AGENT_MIB_PER_HOUR: '2',
      RATE_LIMIT_OPERATOR_PER_MINUTE: '1',
    }),
  );

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const refusalOf = (attempt: Promise<unknown>): Promise<RateLimited> =>
  attempt.then(
    () => {
      throw new Error('it was allowed');
    },
    (error: unknown) => error as RateLimited,
  );

it('what is over the limit is refused until exactly the time that is told', async () => {
  const all = limits();
  for (let n = 0; n < 3; n++) {
    await all.ask('agent', 1);
    jest.setSystemTime(Date.now() + 5_000);
  }
  const { code, retryAfterSeconds } = await refusalOf(all.ask('agent', 1));
  expect({ code, retryAfterSeconds }).toEqual({ code: 'access.rate-limited', retryAfterSeconds: 45 });
  jest.setSystemTime(Date.now() + 44_000);
  expect((await refusalOf(all.ask('agent', 1))).retryAfterSeconds).toBe(1);
  jest.setSystemTime(Date.now() + 1_000);
  await all.ask('agent', 1);
});

it('every agent and every operator has a limit of their own', async () => {
  const all = limits();
  await all.decide({ kind: 'person', channel: 'api', id: '7', name: 'x' });
  await all.decide({ kind: 'person', channel: 'telegram', id: '7', name: 'x' });
  await all.decide({ kind: 'person', channel: 'telegram', id: '8', name: 'x' });
  expect(
    (await refusalOf(all.decide({ kind: 'person', channel: 'telegram', id: '7', name: 'y' }))).message,
  ).toBe('Too many decisions; try again in 60 s.');
});

it('a session of the console and the key for which it stands share one limit', async () => {
  const all = limits();
  await all.decide({ kind: 'person', channel: 'api', id: '7', name: 'x' });
  expect(
    (await refusalOf(all.decide({ kind: 'person', channel: 'console', id: '7', name: 'x' }))).message,
  ).toBe('Too many decisions; try again in 60 s.');
});

it('attempts without a valid key are answered as such 600 times a minute from one source', async () => {
  const gate = new Gatekeeper(refusals);
  const attempt = (address: string) =>
    gate
      .turnAwayStranger(
        address,
        { method: 'GET', route: '/' },
        new DomainError('access.unauthenticated', 'no'),
      )
      .catch((error: unknown) => (error as RateLimited).code);
  for (let n = 0; n < 600; n++) expect(await attempt('192.0.2.1')).toBe('access.unauthenticated');
  expect(await attempt('192.0.2.1')).toBe('access.rate-limited');
  expect(await attempt('192.0.2.2')).toBe('access.unauthenticated');
});

it('what is given back may be used again', async () => {
  const all = limits();
  for (let n = 0; n < 10; n++) {
    const asked = await all.ask('agent', 1);
    await asked.giveBack();
  }
});

describe('what is given back after its window', () => {
  const MINUTE_MS = 60_000;

  const takeAll = async (all: ProcessRateLimits, count: number) => {
    for (let n = 0; n < count; n++) await all.ask('agent', 1);
    expect((await refusalOf(all.ask('agent', 1))).code).toBe('access.rate-limited');
  };

  it('is no credit for the next one', async () => {
    const all = limits();
    const asked = await all.ask('agent', 1);
    jest.setSystemTime(Date.now() + MINUTE_MS);
    await asked.giveBack();
    await takeAll(all, 3);
  });

  it('does not lower what the next one has counted', async () => {
    const all = limits();
    const asked = await all.ask('agent', 1);
    jest.setSystemTime(Date.now() + MINUTE_MS);
    await all.ask('agent', 1);
    await asked.giveBack();
    await takeAll(all, 2);
  });

  it('is no credit when the window ends while it is given back', async () => {
    const all = limits();
    const asked = await all.ask('agent', 1);
    const end = Date.now() + MINUTE_MS;
    jest.setSystemTime(end);
    jest.spyOn(Date, 'now').mockReturnValueOnce(end - 1);
    await asked.giveBack();
    await takeAll(all, 3);
  });
});

it('an error of the limiter that is not a refusal is passed on, and is not audited as one', async () => {
  const broken = new Error('broken');
  recordFlood.mockClear();
  const consume = jest.spyOn(RateLimiterMemory.prototype, 'consume').mockRejectedValue(broken);
  await expect(limits().ask('agent', 1)).rejects.toBe(broken);
  expect(recordFlood).not.toHaveBeenCalled();
  consume.mockRestore();
  await refusalOf(
    (async () => {
      const all = limits();
      for (let n = 0; n < 4; n++) await all.ask('agent', 1);
    })(),
  );
  expect(recordFlood).toHaveBeenCalledTimes(1);
});

describe('bytes that a key has stored within an hour', () => {
  const MIB = 1024 * 1024;

  it('are limited, and the refusal tells for how long', async () => {
    const all = limits();
    await all.ask('agent', 1.5 * MIB);
    jest.setSystemTime(Date.now() + 600_000);
    const { message, retryAfterSeconds } = await refusalOf(all.ask('agent', MIB));
    expect(message).toContain('MiB of requests stored within an hour (at most 2)');
    expect(retryAfterSeconds).toBe(3_000);
    await all.ask('other', MIB);
  });

  it('leave their room to a smaller request when a larger one does not fit', async () => {
    const all = limits();
    await all.ask('agent', 1.5 * MIB);
    await refusalOf(all.ask('agent', MIB));
    await all.ask('agent', 0.5 * MIB);
  });

  it('are given back when nothing was stored', async () => {
    const all = limits();
    const first = await all.ask('agent', 2 * MIB);
    await first.giveBackBytes();
    const second = await all.ask('agent', 2 * MIB);
    await second.giveBack();
    await all.ask('agent', 2 * MIB);
  });
});
