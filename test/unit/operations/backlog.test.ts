import type { FactoryProvider } from '@nestjs/common';
import { Registry } from 'prom-client';
import { createLog } from '../../../src/logging/log';
import { Backlog, ofBacklog } from '../../../src/operations/metrics/backlog';
import type { BacklogCounts, BacklogStore } from '../../../src/operations/metrics/backlog-store';
import { gauge } from '../../../src/operations/metrics/metric';
import { PendingEstimate } from '../../../src/operations/metrics/pending-estimate';
import { FakeClock } from '../../support/fake-clock';
import { NOTHING_WAITS } from './metered';

function setUp(count: jest.Mock<Promise<BacklogCounts>, []>) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'json' }, { write: (line) => void lines.push(line) });
  const estimate = new PendingEstimate();
  const backlog = new Backlog({ count } as unknown as BacklogStore, estimate, clock, log);
  return { backlog, clock, lines, estimate };
}

const counted = (pending: number) => Promise.resolve({ ...NOTHING_WAITS, pending });
const away = () => Promise.reject(new Error('the database is away'));
const counting = () => jest.fn<Promise<BacklogCounts>, []>();

it('asks the database once for all gauges of a scrape, and at most once a second', async () => {
  const count = counting().mockImplementation(() => counted(1));
  const { backlog, clock } = setUp(count);
  await Promise.all([backlog.read(), backlog.read(), backlog.read()]);
  clock.advance(1_000);
  await backlog.read();
  expect(count).toHaveBeenCalledTimes(1);
  clock.advance(1);
  count.mockImplementation(() => counted(2));
  expect((await backlog.read())?.pending).toBe(2);
  expect(count).toHaveBeenCalledTimes(2);
});

it('knows nothing rather than something old while the database is away, says so once, and recovers', async () => {
  const count = counting().mockImplementationOnce(() => counted(1));
  const { backlog, clock, lines } = setUp(count);
  expect((await backlog.read())?.pending).toBe(1);
  count.mockImplementation(away);
  clock.advance(1_001);
  expect(await backlog.read()).toBeNull();
  expect(await backlog.read()).toBeNull();
  expect(lines.filter((line) => line.includes('metrics.backlog-unread'))).toHaveLength(1);
  count.mockImplementation(() => counted(3));
  expect((await backlog.read())?.pending).toBe(3);
});

it('leaves a gauge out of the scrape while its value is unknown', async () => {
  const count = counting().mockImplementationOnce(() => counted(5));
  const { backlog, clock } = setUp(count);
  const registry = new Registry();
  const row = gauge({ name: 'size', help: 'Size.', ...ofBacklog('pending') });
  (row.provider(registry) as FactoryProvider).useFactory(undefined, backlog);
  expect(await registry.metrics()).toContain('size 5');
  count.mockImplementation(away);
  clock.advance(1_001);
  expect(await registry.metrics()).not.toMatch(/^size/m);
});

it('does not wait for a database that hangs, and asks it no second time meanwhile', async () => {
  jest.useFakeTimers();
  try {
    const count = counting().mockImplementation(() => new Promise(() => undefined));
    const { backlog } = setUp(count);
    const reads = [backlog.read(), backlog.read()];
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await Promise.all(reads)).toEqual([null, null]);
    expect(count).toHaveBeenCalledTimes(1);
  } finally {
    jest.useRealTimers();
  }
});

it('starts the estimate of the depth from the database', async () => {
  const { backlog, estimate } = setUp(counting().mockImplementation(() => counted(20)));
  await backlog.onModuleInit();
  expect(estimate.enqueued()).toBe(21);
});
