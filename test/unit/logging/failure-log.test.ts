import { FailureLog } from '../../../src/logging/failure-log';
import type { Log } from '../../../src/logging/log';

const FAILED = { event: 'job.failed', message: 'the job failed; it is retried' };
const RECOVERED = { event: 'job.recovered', message: 'the job works again' };

function start(recovered: typeof RECOVERED | null = null) {
  const events: string[] = [];
  const log = { event: (level: string, event: string) => events.push(`${level} ${event}`) } as unknown as Log;
  return { events, failures: new FailureLog(log, FAILED, recovered) };
}

it('logs the first failure of several in a row, and the first after a success', () => {
  const { events, failures } = start();
  failures.succeed();
  failures.fail(new Error('one'));
  failures.fail(new Error('two'));
  expect([failures.failing, events]).toEqual([true, ['error job.failed']]);
  failures.succeed();
  failures.fail(new Error('three'));
  expect(events).toEqual(['error job.failed', 'error job.failed']);
});

it('logs one recovery, if there are words for it', () => {
  const { events, failures } = start(RECOVERED);
  failures.fail(new Error('one'));
  failures.succeed();
  failures.succeed();
  expect([failures.failing, events]).toEqual([false, ['error job.failed', 'info job.recovered']]);
});
