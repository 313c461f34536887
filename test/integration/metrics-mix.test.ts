import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';
import { Api, type ApprovalJson } from '../support/api';
import { telegramEnvironment } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { buttonsOf, SandboxClient } from '../support/sandbox-client';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

/** Other tests are about Telegram's limits. */
const PLENTY = '1000';
const UNLIMITED = { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 };

let database: TestDatabase;
let sandbox: RunningSandbox;
let app: OpenApp;
let api: Api;
let chat: SandboxClient;

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox({ port: 0, limits: UNLIMITED });
  app = await openTestApp(database.url, {
    ...telegramEnvironment(sandbox.url),
    TELEGRAM_BUDGET_PER_SECOND: PLENTY,
    TELEGRAM_BUDGET_CHAT_PER_SECOND: PLENTY,
    TELEGRAM_BUDGET_GROUP_PER_MINUTE: PLENTY,
    TELEGRAM_RETRY_INITIAL_DELAY_MS: '10',
  });
  api = new Api(app.url);
  chat = new SandboxClient(sandbox.url);
});
afterAll(async () => {
  await app.close();
  await sandbox.close();
  await database.drop();
});

/** Until their cards stand: what is settled before that needs none, and the calls would not add up. */
async function ask(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push((await api.enqueue()).body.id);
  for (const id of ids) await chat.card(id);
  return ids;
}

async function tap(id: string, button: 'Approve' | 'Reject'): Promise<void> {
  const card = await chat.card(id);
  expect((await chat.press(card.messageId, button))?.text).toBeTruthy();
}

/** As if their time had passed. */
async function expire(ids: readonly string[]): Promise<void> {
  await database.query(`update approvals set expires_at = now() - interval '1 second' where id = any($1)`, [
    ids,
  ]);
  await app.sweeper.sweep();
}

/** Calls that the sandbox has answered; a poll under way is none yet, on either side. */
async function answered(method: string): Promise<number> {
  return (await chat.calls(method)).filter(({ status }) => status !== null).length;
}

const METHODS = [
  'getMe',
  'getChat',
  'getUpdates',
  'setWebhook',
  'deleteWebhook',
  'setMyCommands',
  'sendMessage',
  'sendDocument',
  'editMessageText',
  'answerCallbackQuery',
] as const;

it('twenty approvals of a known mix are in every one of the sixteen, exactly', async () => {
  await until(
    'Telegram to work',
    async () => (await Scrape.of(app.url)).value('telegram_service_health') === 1,
  );
  // One send fails and is repeated.
  await chat.fault({ method: 'sendMessage', count: 1, status: 502 });

  const first = await ask(12);
  const taken = (n: number) => first[n] ?? '';
  for (const n of [0, 1]) await tap(taken(n), 'Approve');
  await tap(taken(2), 'Reject');
  await api.decide(taken(3), 'approved');
  await api.cancel(taken(4));
  // Seven are left; the next eight are seen at depths 8 to 15.
  const ids = [...first, ...(await ask(8))];
  const left = ids.filter((_, n) => n > 4);
  const midway = await until('what is left to be counted', async () => {
    const scrape = await Scrape.of(app.url);
    return scrape.find('escalation_queue_size') === 15 && scrape;
  });
  expect(midway.value('escalation_queue_enqueue_total')).toBe(20);
  expect(midway.value('escalation_queue_dequeue_total')).toBe(5);

  const take = () => left.shift() ?? '';
  for (let n = 0; n < 2; n++) await tap(take(), 'Approve');
  for (let n = 0; n < 2; n++) await tap(take(), 'Reject');
  for (let n = 0; n < 3; n++) await api.decide(take(), 'approved');
  for (let n = 0; n < 2; n++) await api.decide(take(), 'rejected');
  for (let n = 0; n < 3; n++) await api.cancel(take());
  await expire(left);
  for (const id of ids) await chat.card(id, 0);

  const settled: ApprovalJson[] = [];
  for (const id of ids) settled.push((await api.get(id)).body);
  const decided = settled.filter(({ decision }) => decision !== null);
  const seconds = (approvals: readonly ApprovalJson[]) =>
    approvals.reduce((sum, a) => sum + Date.parse(a.settledAt ?? '') - Date.parse(a.createdAt), 0) / 1000;

  // An answer is on its way to the service when the sandbox has given it.
  const scrape = await until('both sides to agree on every call, and nothing left to do', async () => {
    const expected = await Promise.all(METHODS.map((method) => answered(method)));
    const seen = await Scrape.of(app.url);
    const agree = METHODS.every(
      (method, n) => seen.value('telegram_api_requests_total', { method }) === expected[n],
    );
    const empty = ['escalation_queue_size', 'escalation_outbox_depth'].every((name) => seen.find(name) === 0);
    return agree && empty && seen;
  });

  const value = (name: string, labels?: Record<string, string>) => scrape.value(name, labels);
  expect({
    escalation_queue_size: value('escalation_queue_size'),
    escalation_queue_enqueue_total: value('escalation_queue_enqueue_total'),
    escalation_queue_dequeue_total: value('escalation_queue_dequeue_total'),
    depthCount: value('escalation_queue_depth_histogram_count'),
    depthSum: value('escalation_queue_depth_histogram_sum'),
    escalation_approvals_accepted_total: value('escalation_approvals_accepted_total'),
    escalation_approvals_rejected_total: value('escalation_approvals_rejected_total'),
    escalation_approvals_timeout_total: value('escalation_approvals_timeout_total'),
    responseCount: value('escalation_response_time_seconds_count'),
    approval_timeout_service_health: value('approval_timeout_service_health'),
    telegram_service_health: value('telegram_service_health'),
    escalation_initializations_total: value('escalation_initializations_total'),
    approved: value('escalation_completions_total', { status: 'approved' }),
    rejected: value('escalation_completions_total', { status: 'rejected' }),
    expired: value('escalation_completions_total', { status: 'expired' }),
    cancelled: value('escalation_completions_total', { status: 'cancelled' }),
    sent: value('telegram_api_requests_total', { method: 'sendMessage' }),
    edited: value('telegram_api_requests_total', { method: 'editMessageText' }),
    tapsAnswered: value('telegram_api_requests_total', { method: 'answerCallbackQuery' }),
    failures: scrape.sum('telegram_api_failures_total'),
    failedSends: value('telegram_api_failures_total', { method: 'sendMessage', reason: 'server-error' }),
    retries: scrape.sum('telegram_api_retry_attempts_total'),
    retriedSends: value('telegram_api_retry_attempts_total', { method: 'sendMessage' }),
    timedCalls: scrape.sum('telegram_api_duration_seconds_count'),
  }).toEqual({
    escalation_queue_size: 0,
    escalation_queue_enqueue_total: 20,
    escalation_queue_dequeue_total: 20,
    depthCount: 20,
    // 1 + … + 12, then 8 + … + 15.
    depthSum: 78 + 92,
    escalation_approvals_accepted_total: 8,
    escalation_approvals_rejected_total: 5,
    escalation_approvals_timeout_total: 3,
    responseCount: 13,
    approval_timeout_service_health: 1,
    telegram_service_health: 1,
    escalation_initializations_total: 20,
    approved: 8,
    rejected: 5,
    expired: 3,
    cancelled: 4,
    // Twenty cards, and the send that failed.
    sent: 21,
    edited: 20,
    tapsAnswered: 7,
    failures: 1,
    failedSends: 1,
    retries: 1,
    retriedSends: 1,
    timedCalls: scrape.sum('telegram_api_requests_total'),
  });
  expect(value('escalation_response_time_seconds_sum')).toBeCloseTo(seconds(decided), 6);
  expect(value('escalation_decision_seconds_count', { channel: 'telegram' })).toBe(7);
  expect(value('escalation_decision_seconds_count', { channel: 'api' })).toBe(6);
  expect(value('escalation_delivery_seconds_count')).toBe(20);
  expect(buttonsOf(await chat.message((await chat.cardsOf(ids[0] ?? ''))[0]?.messageId ?? 0))).toEqual([]);
}, 120_000);
