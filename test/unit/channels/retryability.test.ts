import { TelegramError } from 'telegraf';
import { CallTimeoutError } from '../../../src/resilience/call-timeout';
import { UnreadableAnswer } from '../../../src/channels/telegram/bot-api/bot-api-answers';
import { retryability, showsTelegramUnwell } from '../../../src/channels/telegram/bot-api/retryability';
import {
  circuitOpenFailure,
  noRoomFailure,
  redactToken,
  stoppedFailure,
  timeoutFailure,
  toTelegramFailure,
} from '../../../src/channels/telegram/bot-api/telegram-failure';

const DEFAULT_STATUSES = [429, 500, 502, 503, 504];
const classify = retryability(DEFAULT_STATUSES);

const answered = (method: string, status: number, parameters?: object) =>
  toTelegramFailure(
    method,
    new TelegramError({ error_code: status, description: 'said so', ...(parameters ? { parameters } : {}) }),
  );

const system = (method: string, code: string) =>
  toTelegramFailure(
    method,
    Object.assign(new Error(`request failed, reason: ${code}`), { type: 'system', code }),
  );

/** The error of Node's own client; its cause has the reason. */
const fetchFailed = (method: string, code: string) =>
  toTelegramFailure(
    method,
    new TypeError('fetch failed', { cause: Object.assign(new Error(`${code} at it`), { code }) }),
  );

const NOT_JSON = new UnreadableAnswer('the answer is not JSON');

describe('telegram.md 5: what is tried again within a call', () => {
  it.each([500, 502, 503, 504])('a %i is, after a backoff', (status) => {
    expect(classify(answered('sendMessage', status))).toEqual({ kind: 'transient' });
  });

  it('a 429 is, and not before retry_after', () => {
    expect(classify(answered('sendMessage', 429, { retry_after: 3 }))).toEqual({
      kind: 'retry-after',
      ms: 3000,
    });
  });

  it('a 429 that tells no time is, after a backoff', () => {
    expect(classify(answered('sendMessage', 429))).toEqual({ kind: 'transient' });
  });

  it.each([400, 401, 403, 404, 409])('a %i never is', (status) => {
    expect(classify(answered('editMessageText', status))).toEqual({ kind: 'final' });
  });

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])(
    'a send is when nothing can have been written (%s)',
    (code) => {
      expect(classify(system('sendMessage', code))).toEqual({ kind: 'transient' });
    },
  );

  it('a document likewise, and the failure says why', () => {
    const refused = fetchFailed('sendDocument', 'ECONNREFUSED');
    expect(classify(refused)).toEqual({ kind: 'transient' });
    expect(refused.message).toBe('sendDocument: ECONNREFUSED at it');
    expect(classify(fetchFailed('sendDocument', 'ECONNRESET'))).toEqual({ kind: 'final' });
  });

  it.each(['sendMessage', 'sendDocument', 'sendPhoto'])(
    'a %s of unknown fate is not: it would show twice',
    (method) => {
      expect(classify(system(method, 'ECONNRESET'))).toEqual({ kind: 'final' });
      expect(classify(timeoutFailure(method))).toEqual({ kind: 'final' });
      expect(classify(toTelegramFailure(method, NOT_JSON))).toEqual({ kind: 'final' });
    },
  );

  it('an edit of unknown fate is: done twice, it shows once', () => {
    expect(classify(system('editMessageText', 'ECONNRESET'))).toEqual({ kind: 'transient' });
    expect(classify(timeoutFailure('editMessageText'))).toEqual({ kind: 'transient' });
  });

  it('only the configured statuses are', () => {
    const only503 = retryability([503]);
    expect(only503(answered('sendMessage', 503))).toEqual({ kind: 'transient' });
    expect(only503(answered('sendMessage', 500))).toEqual({ kind: 'final' });
    expect(only503(answered('sendMessage', 429, { retry_after: 1 }))).toEqual({ kind: 'final' });
  });

  it('our own used-up budget, our own timeout and what is no failure of Telegram are not', () => {
    expect(classify(noRoomFailure('editMessageText'))).toEqual({ kind: 'final' });
    expect(classify(new CallTimeoutError(10_000))).toEqual({ kind: 'final' });
    expect(classify(new Error('a bug of ours'))).toEqual({ kind: 'final' });
  });
});

describe('telegram.md 7: what the breaker counts', () => {
  it.each([
    ['a 500', answered('getMe', 500)],
    ['a dropped connection', system('getMe', 'ECONNRESET')],
    ['a refused connection', system('getMe', 'ECONNREFUSED')],
    ['no answer in time', timeoutFailure('getMe')],
    ['an answer that is no JSON', toTelegramFailure('getMe', NOT_JSON)],
    ['the guard’s own timeout', new CallTimeoutError(10_000)],
  ])('%s is a failure', (_what, error) => {
    expect(showsTelegramUnwell(error)).toBe(true);
  });

  it.each([
    ['a 400', answered('getMe', 400)],
    ['a 401', answered('getMe', 401)],
    ['a 403', answered('getMe', 403)],
    ['a 409', answered('getMe', 409)],
    ['a 429', answered('getMe', 429, { retry_after: 10_000 })],
    ['our own used-up budget', noRoomFailure('getMe')],
    ['an open circuit', circuitOpenFailure('getMe')],
    ['a bug of ours', new Error('oops')],
  ])('%s is none', (_what, error) => {
    expect(showsTelegramUnwell(error)).toBe(false);
  });
});

describe('telegram.md 6: the fate of a call', () => {
  it('is known when Telegram answered, whatever it said', () => {
    for (const status of [400, 429, 500, 503])
      expect(answered('sendMessage', status).outcomeUnknown).toBe(false);
  });

  it('is known when nothing was written, and unknown when the connection broke after that', () => {
    expect(system('sendMessage', 'ECONNREFUSED').outcomeUnknown).toBe(false);
    expect(system('sendMessage', 'ECONNRESET').outcomeUnknown).toBe(true);
    expect(system('sendMessage', 'EPIPE').outcomeUnknown).toBe(true);
  });

  it('is unknown after a timeout, an abort or a mangled answer', () => {
    expect(timeoutFailure('sendMessage').outcomeUnknown).toBe(true);
    expect(toTelegramFailure('sendMessage', NOT_JSON)).toMatchObject({
      outcomeUnknown: true,
      reason: 'bad-answer',
    });
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' });
    expect(toTelegramFailure('sendMessage', abort)).toMatchObject({
      outcomeUnknown: true,
      reason: 'timeout',
    });
  });
});

describe('a failure', () => {
  const TOKEN = '123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr';

  it('carries the new chat of a migrated group, and retry_after in milliseconds', () => {
    const failure = answered('sendMessage', 400, { migrate_to_chat_id: -100987 });
    expect(failure).toMatchObject({ migratedToChatId: '-100987', retryAfterMs: null, status: 400 });
    expect(answered('sendMessage', 429, { retry_after: 7 }).retryAfterMs).toBe(7000);
  });

  it('never shows the token, wherever the client put it', () => {
    const error = new Error(`request to https://api.telegram.org/bot${TOKEN}/sendMessage failed`);
    const failure = toTelegramFailure('sendMessage', error);
    const everything = JSON.stringify([Object.entries(failure), failure.message, failure.stack]);
    expect(everything).not.toContain(TOKEN.split(':')[1]);
    expect(redactToken(`x ${TOKEN} y`)).toBe('x 123456789:[redacted] y');
  });

  it('is itself when it is one already', () => {
    const failure = timeoutFailure('getMe');
    expect(toTelegramFailure('getMe', failure)).toBe(failure);
  });

  it('knows "not modified" from other 400s', () => {
    const said = (description: string) =>
      toTelegramFailure('editMessageText', new TelegramError({ error_code: 400, description }));
    expect(said('Bad Request: message is not modified: …').isNotModified).toBe(true);
    expect(said('Bad Request: message to edit not found').isNotModified).toBe(false);
    const elsewhere = new TelegramError({ error_code: 409, description: 'message is not modified' });
    expect(toTelegramFailure('editMessageText', elsewhere).isNotModified).toBe(false);
  });

  it.each([
    [400, 'bad-request'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'unauthorized'],
    [409, 'conflict'],
    [429, 'rate-limited'],
    [499, 'bad-request'],
    [500, 'server-error'],
    [503, 'server-error'],
  ])('of status %i has the reason %s, and names method and description', (status, reason) => {
    expect(answered('sendMessage', status)).toMatchObject({ reason, message: 'sendMessage: said so' });
  });

  it('of a call that was not tried says so, and that nothing happened', () => {
    const untried = [noRoomFailure('getMe'), circuitOpenFailure('getMe'), stoppedFailure('getMe')];
    expect(untried.map(({ reason, message, outcomeUnknown }) => [reason, message, outcomeUnknown])).toEqual([
      ['rate-limited', 'getMe: no room in the send budget', false],
      ['circuit-open', 'getMe: not tried, the circuit is open', false],
      ['network', 'getMe: not tried, the caller stops', false],
    ]);
  });

  it('of a connection says what went wrong, also where what was thrown is no error', () => {
    expect(system('getMe', 'EPIPE').message).toBe('getMe: request failed, reason: EPIPE');
    expect(system('getMe', 'CERT_HAS_EXPIRED').outcomeUnknown).toBe(false);
    expect(toTelegramFailure('getMe', 'thrown')).toMatchObject({
      message: 'getMe: thrown',
      outcomeUnknown: true,
    });
    const late = Object.assign(new Error('late'), { name: 'TimeoutError' });
    expect(toTelegramFailure('getMe', late).message).toBe('getMe: no answer in time');
    expect(toTelegramFailure('getMe', NOT_JSON).message).toBe('getMe: the answer is not JSON');
  });
});
