import { setTimeout as sleep } from 'node:timers/promises';
import type { Destination } from '../../../src/channels/telegram/destination';
import { DomainError } from '../../../src/kernel/errors';
import { createLog } from '../../../src/logging/log';
import { Patience } from '../../../src/channels/telegram/patience';
import { SendingCheck } from '../../../src/channels/telegram/sending-check';
import type { TelegramApi } from '../../../src/channels/telegram/bot-api/telegram-api';
import { STEADY_MS, TelegramStatus } from '../../../src/channels/telegram/telegram-status';
import { FakeClock } from '../../support/fake-clock';

/** Longer than anything that waits in the outbox stays silent. */
const QUIET_MS = 20_000;

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

describe('trouble with sending when there is nothing left to send', () => {
  function checked(answer: () => Promise<unknown>) {
    const rig = setUp();
    const asked: string[] = [];
    const call = (method: string) => {
      asked.push(method);
      return answer();
    };
    const destination = { now: () => Promise.resolve({ chatId: '-1001', threadId: '0' }) };
    const check = new SendingCheck(
      { call } as unknown as TelegramApi,
      rig.status,
      rig.log,
      destination as unknown as Destination,
    );
    return { ...rig, asked, check };
  }

  it('ends when Telegram would take something for the chat', async () => {
    const { clock, status, check, asked, reason } = checked(() => Promise.resolve({}));
    await check.look();
    status.report('sending', 'messages do not get through');
    clock.advance(QUIET_MS - 1);
    await check.look();
    expect(asked).toEqual([]);
    clock.advance(1);
    await check.look();
    expect(asked).toEqual(['sendChatAction']);
    clock.advance(STEADY_MS);
    expect(reason()).toBeNull();
  });

  it('lasts as long as Telegram does not', async () => {
    const { clock, status, check, reason } = checked(() => Promise.reject(new Error('no route')));
    status.report('sending', 'messages do not get through');
    clock.advance(QUIET_MS);
    await check.look();
    clock.advance(STEADY_MS);
    expect(reason()).toBe('messages do not get through');
  });
});

it('a database that is away is not called trouble with Telegram, however long it lasts', async () => {
  const { log, status, reason, told } = setUp();
  const stop = new AbortController();
  const patience = new Patience('polling', status, log, stop.signal);
  patience.pause = () => sleep(0);
  let tries = 0;
  await patience.repeat(() => {
    if (++tries === 10) stop.abort();
    return Promise.reject(new DomainError('database.unavailable', 'The database does not answer.'));
  });
  expect(told()).toContain('telegram.step-failed');
  expect(told()).not.toContain('telegram.unreachable');
  expect(reason()).toBeNull();
});
