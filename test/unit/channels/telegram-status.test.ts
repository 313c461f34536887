import { DomainError } from '../../../src/kernel/errors';
import { createLog } from '../../../src/logging/log';
import {
  TelegramFailure,
  timeoutFailure,
  type FailureReason,
} from '../../../src/channels/telegram/bot-api/telegram-failure';
import { reportFailure } from '../../../src/channels/telegram/retry-step';
import { STEADY_MS, TelegramStatus } from '../../../src/channels/telegram/telegram-status';
import { FakeClock } from '../../support/fake-clock';

const refusal = (status: number, reason: FailureReason) =>
  new TelegramFailure('getUpdates', reason, 'refused', status, null, null, false);

function setUp() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', format: 'json' }, { write: (line) => void lines.push(line) });
  const status = new TelegramStatus(log, clock);
  status.enable();
  status.report('token', null);
  const told = () => lines.map((line) => (JSON.parse(line) as { event: string }).event);
  return { clock, log, status, told, reason: () => status.health.degradedBecause };
}

describe('trouble with Telegram', () => {
  it('shows at once, and is over only after it has stayed away for a while', () => {
    const { clock, status, reason, told } = setUp();
    status.report('sending', 'messages do not get through');
    expect(reason()).toBe('messages do not get through');
    status.report('sending', null);
    clock.advance(STEADY_MS - 1);
    expect(reason()).toMatch(/^works again for 9 s, watched for 10 s: messages do not get through$/);
    expect(told()).toEqual(['telegram.unreachable']);
    clock.advance(1);
    expect(reason()).toBeNull();
    expect(told()).toEqual(['telegram.unreachable', 'telegram.reached']);
  });

  it('that comes and goes is one trouble, told once', () => {
    const { clock, status, reason, told } = setUp();
    for (let n = 0; n < 10; n++) {
      status.report('sending', 'messages do not get through');
      clock.advance(STEADY_MS / 2);
      status.report('sending', null);
      clock.advance(STEADY_MS / 2);
      expect(reason()).not.toBeNull();
    }
    expect(told()).toEqual(['telegram.unreachable']);
    clock.advance(STEADY_MS);
    expect(reason()).toBeNull();
  });

  it('that lasts is told before one that seems to be over', () => {
    const { status, reason } = setUp();
    status.report('chat', 'the chat is gone');
    status.report('chat', null);
    status.report('polling', 'no updates');
    expect(reason()).toBe('no updates');
  });

  it('is not the wait for the first answer, which ends with it', () => {
    const { clock, log, told } = setUp();
    const fresh = new TelegramStatus(log, clock);
    fresh.enable();
    expect(fresh.health.degradedBecause).toBe('Telegram has not answered yet');
    fresh.report('token', null);
    expect(fresh.health.degradedBecause).toBeNull();
    expect(told()).toEqual([]);
  });

  it('is told again when it comes back after it was over', () => {
    const { clock, status, reason, told } = setUp();
    for (let n = 0; n < 2; n++) {
      status.report('sending', 'messages do not get through');
      status.report('sending', null);
      clock.advance(STEADY_MS);
      expect(reason()).toBeNull();
    }
    expect(told().filter((event) => event === 'telegram.unreachable')).toHaveLength(2);
  });
});

it('a database that is away is not called trouble with Telegram, however long it lasts', () => {
  const { log, status, reason, told } = setUp();
  for (let n = 0; n < 10; n++)
    reportFailure(
      { part: 'polling', status, log },
      new DomainError('database.unavailable', 'The database does not answer.'),
    );
  expect(told()).toContain('telegram.step-failed');
  expect(told()).not.toContain('telegram.unreachable');
  expect(reason()).toBeNull();
});

it.each([
  { what: 'a connection that fails', failure: timeoutFailure('getUpdates'), after: 3 },
  { what: 'a refusal by Telegram', failure: refusal(400, 'bad-request'), after: 1 },
  { what: 'another poller', failure: refusal(409, 'conflict'), after: 3 },
  { what: 'a token that Telegram refuses', failure: refusal(401, 'unauthorized'), after: 1 },
])('$what is trouble from failure $after in a row on', ({ failure, after }) => {
  const { log, status, reason } = setUp();
  const context = { part: 'polling', status, log } as const;
  reportFailure(context, timeoutFailure('getUpdates'));
  // One success, and the count begins again.
  status.report('polling', null);
  for (let n = 1; n < after; n++) reportFailure(context, failure);
  expect(reason()).toBeNull();
  reportFailure(context, failure);
  expect(reason()).not.toBeNull();
});

it('waits longer after each failure, at most 15 s', () => {
  const { log, status } = setUp();
  const waits = Array.from({ length: 7 }, () =>
    reportFailure({ part: 'polling', status, log }, timeoutFailure('getUpdates')),
  );
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});
