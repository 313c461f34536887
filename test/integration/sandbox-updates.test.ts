import { get, type OutgoingHttpHeaders } from 'node:http';
import {
  GROUP,
  NO_LIMITS,
  OPERATOR,
  OTHER_TOKEN,
  TOKEN,
  eachTestItsSandbox,
} from '../support/sandbox-driver';

const CONFLICT = {
  code: 409,
  description:
    'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
};
const TOO_OLD = 'query is too old and response timeout expired or query ID is invalid';

const sandbox = eachTestItsSandbox();

/** Resolves once the sandbox has received this many calls of the method. */
async function received(method: string, count: number): Promise<void> {
  while ((await sandbox().calls(method)).length < count);
}

const ids = (updates: readonly { update_id: number }[]): number[] => updates.map((u) => u.update_id);

describe('getUpdates', () => {
  it('wakes at once when something is said', async () => {
    const waiting = sandbox().updates();
    await received('getUpdates', 1);
    await sandbox().say('/pending');
    expect(await waiting).toMatchObject([
      {
        message: {
          text: '/pending',
          from: { id: OPERATOR },
          chat: { id: GROUP },
          entities: [{ type: 'bot_command', offset: 0, length: 8 }],
        },
      },
    ]);
  });

  it('delivers again until confirmed by a higher offset', async () => {
    await sandbox().call('getMe');
    await sandbox().say('one');
    await sandbox().say('two');
    const first = await sandbox().updates();
    expect(first).toHaveLength(2);
    expect(ids(await sandbox().updates())).toEqual(ids(first));
    expect(ids(await sandbox().updates({ offset: ids(first)[1] }))).toEqual([ids(first)[1]]);
    expect(await sandbox().updates({ offset: Number(ids(first)[1]) + 1, timeout: 0 })).toEqual([]);
  });

  it('obeys limit, negative offsets and allowed_updates', async () => {
    await sandbox().call('getMe');
    for (const text of ['one', 'two', 'three']) await sandbox().say(text);
    expect(await sandbox().updates({ limit: 2 })).toHaveLength(2);
    expect(await sandbox().updates({ offset: -1 })).toMatchObject([{ message: { text: 'three' } }]);
    const last = ids(await sandbox().updates())[0] ?? 0;
    expect(
      await sandbox().updates({ offset: last + 1, timeout: 0, allowed_updates: ['callback_query'] }),
    ).toEqual([]);
    await sandbox().say('unheard');
    expect(await sandbox().updates({ offset: last + 1, timeout: 0 })).toEqual([]);
  });

  it('answers empty when the time is up', async () => {
    expect(await sandbox().updates({ timeout: 1 })).toEqual([]);
  });

  it('the second that would wait ends the first with 409', async () => {
    const older = sandbox().refused('getUpdates', { timeout: 10 });
    await received('getUpdates', 1);
    const newer = sandbox().updates();
    expect(await older).toEqual(CONFLICT);
    await sandbox().say('hello');
    expect(await newer).toHaveLength(1);
  });

  it('a second that need not wait leaves the first alone', async () => {
    const older = sandbox().updates();
    await received('getUpdates', 1);
    expect(await sandbox().updates({ timeout: 0 })).toEqual([]);
    await sandbox().say('hello');
    expect(await older).toHaveLength(1);
  });

  it('every bot has its own queue', async () => {
    await sandbox().call('getMe');
    await sandbox().call('getMe', {}, OTHER_TOKEN);
    await sandbox().say('to all');
    const mine = await sandbox().updates();
    await sandbox().updates({ offset: Number(ids(mine)[0]) + 1, timeout: 0 });
    expect(await sandbox().updates({}, OTHER_TOKEN)).toMatchObject([{ message: { text: 'to all' } }]);
  });

  it('what was said before the first bot came is kept for it', async () => {
    await sandbox().say('early');
    expect(await sandbox().updates()).toMatchObject([{ message: { text: 'early' } }]);
  });

  it('a poller that hung up loses nothing', async () => {
    const hangUp = new AbortController();
    const gone = sandbox().call('getUpdates', { timeout: 10 }, TOKEN, hangUp.signal);
    await received('getUpdates', 1);
    hangUp.abort();
    await expect(gone).rejects.toThrow();
    await sandbox().say('still here');
    expect(await sandbox().updates()).toMatchObject([{ message: { text: 'still here' } }]);
  });

  it('closing the sandbox ends a waiting poll', async () => {
    const waiting = sandbox().updates();
    await received('getUpdates', 1);
    await sandbox().close();
    expect(await waiting).toEqual([]);
  });
});

describe('taps', () => {
  const tapAndReceive = async (button = 'Approve', more: object = {}) => {
    const card = await sandbox().sendCard();
    const pressed = sandbox().press(card.message_id, button, more);
    const [update] = await sandbox().updates({ allowed_updates: ['callback_query'] });
    if (!update?.callback_query) throw new Error('no callback_query');
    return { card, pressed, query: update.callback_query };
  };

  it('reach the bot, and its answer reaches the person', async () => {
    const { card, pressed, query } = await tapAndReceive('Reject', { user: 2 });
    expect(query).toMatchObject({
      data: 'v1.r.nonce',
      from: { id: 2 },
      message: { message_id: card.message_id, chat: { id: GROUP } },
    });
    await sandbox().client().answerCbQuery(query.id, 'Not for you', { show_alert: true });
    expect(await pressed).toEqual({ answer: { text: 'Not for you', showAlert: true } });
  });

  it('can be made as a chat instead of a person', async () => {
    const { query, pressed } = await tapAndReceive('Approve', { senderChat: GROUP });
    expect(query.from.id).toBe(1087968824);
    await sandbox().client().answerCbQuery(query.id);
    expect(await pressed).toEqual({ answer: { text: '', showAlert: false } });
  });

  it('an unknown id, and that of another bot, is too old', async () => {
    expect(await sandbox().badRequest('answerCallbackQuery', { callback_query_id: '1' })).toBe(TOO_OLD);
    const { query, pressed } = await tapAndReceive();
    const { description } = await sandbox().refused(
      'answerCallbackQuery',
      { callback_query_id: query.id },
      OTHER_TOKEN,
    );
    expect(description).toBe(`Bad Request: ${TOO_OLD}`);
    await sandbox().client().answerCbQuery(query.id);
    await pressed;
  });

  it('after its time a tap is unanswered for the person and too old for the bot', async () => {
    await sandbox().post('limits', { callbackAnswerMs: 50 });
    const { query, pressed } = await tapAndReceive();
    expect(await pressed).toEqual({ answer: null });
    expect(await sandbox().badRequest('answerCallbackQuery', { callback_query_id: query.id })).toBe(TOO_OLD);
  });
});

describe('what people do', () => {
  it('a reply carries what it replies to', async () => {
    const card = await sandbox().sendCard();
    await sandbox().say('too risky', { replyTo: card.message_id });
    expect(await sandbox().updates()).toMatchObject([
      { message: { text: 'too risky', reply_to_message: { message_id: card.message_id } } },
    ]);
  });

  it('an anonymous administrator speaks as the group', async () => {
    await sandbox().call('getMe');
    await sandbox().say('hi', { senderChat: GROUP });
    expect(await sandbox().updates()).toMatchObject([
      { message: { from: { id: 1087968824, username: 'GroupAnonymousBot' }, sender_chat: { id: GROUP } } },
    ]);
  });

  it('updates can be repeated, turned around and made up', async () => {
    await sandbox().call('getMe');
    await sandbox().say('one');
    await sandbox().post('updates', { duplicateLast: true });
    await sandbox().post('updates', { inject: [{ update_id: 42, message: { text: 'odd' } }] });
    await sandbox().post('updates', { reverse: true });
    const updates = await sandbox().updates();
    expect(updates.map((u) => u.message?.text)).toEqual(['odd', 'one', 'one']);
    expect(updates[1]?.update_id).toBe(updates[2]?.update_id);
    await sandbox().post('updates', { restartAt: 7 });
    await sandbox().say('new numbers');
    expect((await sandbox().updates({ offset: -1 }))[0]).toMatchObject({
      update_id: 7,
      message: { text: 'new numbers' },
    });
  });
});

describe('control calls that cannot be done', () => {
  it.each([
    ['press', { chat: GROUP, messageId: 99, button: 'x', user: 1 }, 404, 'no message 99 in chat -1001'],
    ['press', { chat: GROUP, messageId: 1 }, 400, 'button'],
    ['say', { chat: GROUP, text: 'a', user: 1, replyTo: 99 }, 404, 'no message 99'],
    ['say', { chat: GROUP, text: '', user: 1 }, 400, 'text'],
    ['faults', { method: '*', status: 200 }, 400, 'status'],
    ['faults', { method: '*', wobble: true }, 400, 'wobble'],
    ['limits', { perSecond: 0 }, 400, 'perSecond'],
  ])('%s %j', async (path, body, status, words) => {
    const answer = await sandbox().control('POST', path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toContain(words);
  });

  it('a press of a button that the message does not have', async () => {
    const { message_id: messageId } = await sandbox().sendCard();
    const press = { chat: GROUP, messageId, button: 'Maybe', user: 1 };
    const answer = await sandbox().control('POST', 'press', press);
    expect(answer.status).toBe(404);
    expect(answer.body.error).toContain(`no button "Maybe" on message ${messageId}`);
  });

  it('a body that is no JSON, and a page of another site, are refused', async () => {
    const post = (init: RequestInit) => fetch(`${sandbox().url}/sandbox/say`, { method: 'POST', ...init });
    expect((await post({ body: 'x' })).status).toBe(400);
    const body = JSON.stringify({ chat: GROUP, text: 'hi', user: 1 });
    expect((await post({ body, headers: { origin: 'http://elsewhere.example' } })).status).toBe(403);
    expect((await post({ body, headers: { origin: sandbox().url } })).status).toBe(200);
  });

  it('a web page calls no method of a bot: not as an image, not from another origin, not under another name', async () => {
    const { port } = new URL(sandbox().url);
    const call = (headers: OutgoingHttpHeaders, bot = 'bot') =>
      new Promise<number | undefined>((resolve, reject) => {
        const path = `/${bot}${TOKEN}/sendMessage?chat_id=${GROUP}&text=hi`;
        get({ port, path, headers }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
      });
    expect(await call({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await call({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await call({ 'sec-fetch-site': 'cross-site' }, '%62ot')).toBe(403);
    expect(await call({ origin: 'http://elsewhere.example' })).toBe(403);
    expect(await call({ host: `elsewhere.example:${port}` })).toBe(403);
    expect(await sandbox().messages()).toEqual([]);
    for (const headers of [{}, { 'sec-fetch-site': 'none' }, { host: `sandbox:${port}` }])
      expect(await call(headers)).toBe(200);
  });
});

it('calls are recorded without the token, with status and parameters', async () => {
  await sandbox().send({ text: 'x' });
  await sandbox().refused('sendMessage', { chat_id: GROUP });
  const calls = await sandbox().calls('sendMessage');
  expect(calls).toMatchObject([
    {
      method: 'sendMessage',
      status: 200,
      params: { chat_id: GROUP, text: 'x' },
    },
    { method: 'sendMessage', status: 400 },
  ]);
  expect(calls.map((c) => Date.parse(c.at))).toEqual(calls.map((c) => c.atMs));
  expect(JSON.stringify(calls)).not.toContain(TOKEN.split(':')[1]);
});

it('a reset brings back the first minute', async () => {
  await sandbox().sendCard();
  await sandbox().fault({ method: '*', status: 500 });
  expect((await sandbox().control('DELETE', 'state')).status).toBe(200);
  expect(await sandbox().messages()).toEqual([]);
  await expect(sandbox().send()).resolves.toMatchObject({ text: 'hello' });
});

describe('limits', () => {
  const limited = eachTestItsSandbox({ limits: { ...NO_LIMITS, chatBurst: 3, chatPerSecond: 1 / 60 } });

  it('sends and edits share one budget, and 429 says how long to wait', async () => {
    const card = await limited().sendCard();
    const target = { chat_id: GROUP, message_id: card.message_id };
    await limited().call('editMessageText', { ...target, text: 'one' });
    await limited().call('editMessageText', { ...target, text: 'two' });
    const refusals = [
      await limited().refused('sendMessage', { chat_id: GROUP, text: 'three' }),
      await limited().refused('editMessageText', { ...target, text: 'three' }),
    ];
    for (const { code, description, parameters } of refusals) {
      expect(code).toBe(429);
      expect(parameters?.retry_after).toBeGreaterThan(0);
      expect(description).toBe(`Too Many Requests: retry after ${parameters?.retry_after}`);
    }
    await expect(limited().call('getMe')).resolves.toBeDefined();
    await expect(limited().send({ chat_id: 5 })).resolves.toBeDefined();
    expect((await limited().messages())[0]?.text).toBe('two');
  });

  it("are Telegram's unless somebody turns them", async () => {
    const { body } = await limited().control('GET', 'limits');
    expect(body).toMatchObject({ chatBurst: 3, callbackAnswerMs: 15_000 });
    await limited().post('limits', { chatBurst: 1 });
    await limited().send();
    expect((await limited().refused('sendMessage', { chat_id: GROUP, text: 'a' })).code).toBe(429);
  });
});
