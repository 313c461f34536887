import type { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { RefusalLog } from '../../../src/audit/refusal-log';
import type { Config } from '../../../src/config/environment';
import type { Destination } from '../../../src/channels/telegram/destination';
import type { OperatorChat } from '../../../src/channels/telegram/operator-chat';
import type { TapResult } from '../../../src/channels/telegram/commands/tap-card';
import type { SendBudget } from '../../../src/channels/telegram/send-budget';
import { DomainError } from '../../../src/kernel/errors';
import { createLog } from '../../../src/logging/log';
import { People } from '../../../src/channels/telegram/operators/people';
import { Replies } from '../../../src/channels/telegram/operators/replies';
import { Taps, type DataQuery } from '../../../src/channels/telegram/operators/taps';
import type { TelegramApi } from '../../../src/channels/telegram/bot-api/telegram-api';
import type { ActivePolicy } from '../../../src/policy/active-policy';
import type { Tracing } from '../../../src/tracing/tracing';
import { FakeClock } from '../../support/fake-clock';
import { until } from '../../support/until';

const OPERATOR = 1;
const STRANGER = 2;
const BOT = 3;

/** Taps whose decision ends when the test says so. */
function tapping() {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', format: 'json' }, { write: (text: string) => lines.push(text) });
  const answers: string[] = [];
  const sent: string[] = [];
  const clock = new FakeClock();
  let decided: (result: TapResult) => void = () => undefined;
  let failed: (error: Error) => void = () => undefined;
  let attempts = 0;
  const commands = {
    execute: () => {
      attempts++;
      return new Promise<TapResult>((resolve, reject) => ([decided, failed] = [resolve, reject]));
    },
  } as unknown as CommandBus;
  const api = {
    call: (_method: string, { text }: { text: string }) => Promise.resolve(answers.push(text)),
  } as unknown as TelegramApi;
  const chat = {
    send: (_chat: unknown, { text }: { text: string }) => Promise.resolve(sent.push(text)),
  } as unknown as OperatorChat;
  const config = {
    telegram: { chatId: '-1001', operators: [{ id: String(OPERATOR), name: 'Olivia' }] },
  } as unknown as Config;
  const refusals = { recordFlood: () => new Promise<void>(() => undefined) } as unknown as RefusalLog;
  const taps = new Taps(
    commands,
    { execute: () => Promise.resolve(false) } as unknown as QueryBus,
    api,
    chat,
    new People({ isIn: () => true } as unknown as Destination, { people: null } as ActivePolicy, config),
    new Replies(refusals, log, { groupMinute: 20 } as unknown as SendBudget),
    refusals,
    clock,
    log,
    {
      resume: (_t: unknown, _n: unknown, _a: unknown, work: () => unknown) => work(),
    } as unknown as Tracing,
  );
  const query = (from = OPERATOR) =>
    ({
      id: `query-of-${from}`,
      from: { id: from, is_bot: false, first_name: 'x' },
      data: '1:a:xxxxxxxxxxxxxxxxxxxxxx',
      message: { message_id: 5, chat: { id: -1001, type: 'supergroup' } },
      chat_instance: '1',
    }) as unknown as DataQuery;
  return {
    taps,
    clock,
    answers,
    sent,
    query,
    attempts: () => attempts,
    decide: (result: TapResult) => decided(result),
    fail: (error: Error) => failed(error),
    logged: (event: string) => lines.join('').includes(`"${event}"`),
  };
}

describe('a tap that takes longer than its answer may', () => {
  it('is answered once, and its operator is told in the chat what the card will not show', async () => {
    const rig = tapping();
    const done = rig.taps.handle(rig.query(), BOT);
    await until('it is answered', () => rig.answers.length > 0);
    expect(rig.answers[0]).toMatch(/still working/i);
    rig.decide({ kind: 'too-many', retryAfterSeconds: 7 });
    await done;
    expect(rig.sent).toEqual([expect.stringMatching(/Nothing was decided; tap again in 7 s/)]);
    // Delivered again: the outcome stands, and nothing is said twice.
    await rig.taps.handle(rig.query(), BOT);
    expect([rig.attempts(), rig.answers.length, rig.sent.length]).toEqual([1, 1, 1]);
  });

  it('and then fails is not lost silently', async () => {
    const rig = tapping();
    const done = rig.taps.handle(rig.query(), BOT);
    await until('it is answered', () => rig.answers.length > 0);
    rig.fail(new Error('a bug of ours'));
    await done;
    expect(rig.logged('telegram.tap-lost')).toBe(true);
    expect(rig.sent).toEqual([expect.stringMatching(/That failed here\. Tap again/)]);
  });

  it('is tried for as long as Telegram keeps taps, and then given up aloud', async () => {
    const rig = tapping();
    const done = rig.taps.handle(rig.query(), BOT).catch((error: unknown) => error);
    await until('it is answered', () => rig.answers.length > 0);
    const away = new DomainError('database.unavailable', 'away');
    rig.fail(away);
    await until('it is tried again', () => rig.attempts() === 2);
    rig.clock.advance(150_000);
    rig.fail(away);
    await until('it is given up', () => rig.sent.length > 0);
    await done;
    expect(rig.logged('telegram.tap-lost')).toBe(true);
  });

  it('of a stranger is refused in time all the same', async () => {
    const rig = tapping();
    void rig.taps.handle(rig.query(STRANGER), BOT);
    await until('it is answered', () => rig.answers.length > 0);
    expect(rig.answers).toEqual([expect.stringMatching(/not an operator/)]);
  });
});

it('a tap that fails in time is told so, and the failure is handed on', async () => {
  const rig = tapping();
  const done = rig.taps.handle(rig.query(), BOT);
  await until('it is tried', () => rig.attempts() > 0);
  rig.fail(new Error('a bug of ours'));
  await expect(done).rejects.toThrow('a bug of ours');
  expect(rig.answers).toEqual([expect.stringMatching(/That failed here/)]);
});
