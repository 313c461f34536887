import { TelegramAttempted } from '../../../src/channels/telegram/bot-api/telegram-events';
import { eachTestItsMetrics } from './metered';

const metered = eachTestItsMetrics();

const done = (method: string, durationMs = 100) => new TelegramAttempted(method, durationMs, null, false);

it('has every series at 0 before the first call, so that rates see the first failure', async () => {
  const scrape = await metered().scrape();
  for (const method of [
    'getMe',
    'getUpdates',
    'sendMessage',
    'editMessageText',
    'answerCallbackQuery',
    'other',
  ]) {
    expect(scrape.value('telegram_api_requests_total', { method })).toBe(0);
    expect(scrape.value('telegram_api_retry_attempts_total', { method })).toBe(0);
    expect(scrape.value('telegram_api_duration_seconds_count', { method })).toBe(0);
    expect(scrape.value('telegram_api_failures_total', { method, reason: 'rate-limited' })).toBe(0);
  }
});

it('counts attempts by method', async () => {
  metered().happened(done('sendMessage'), done('sendMessage'), done('getUpdates'));
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_api_requests_total', { method: 'sendMessage' })).toBe(2);
  expect(scrape.value('telegram_api_requests_total', { method: 'getUpdates' })).toBe(1);
  expect(scrape.sum('telegram_api_failures_total')).toBe(0);
});

it('counts a failed attempt as an attempt and as a failure with its reason', async () => {
  metered().happened(new TelegramAttempted('sendMessage', 5, 'rate-limited', false));
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_api_requests_total', { method: 'sendMessage' })).toBe(1);
  expect(scrape.value('telegram_api_failures_total', { method: 'sendMessage', reason: 'rate-limited' })).toBe(
    1,
  );
  expect(scrape.sum('telegram_api_failures_total')).toBe(1);
});

it('counts as a retry only what repeats a failed attempt', async () => {
  metered().happened(
    new TelegramAttempted('sendMessage', 5, 'server-error', false),
    new TelegramAttempted('sendMessage', 5, 'server-error', true),
    new TelegramAttempted('sendMessage', 5, null, true),
    done('sendMessage'),
  );
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_api_retry_attempts_total', { method: 'sendMessage' })).toBe(2);
  expect(scrape.value('telegram_api_requests_total', { method: 'sendMessage' })).toBe(4);
});

it('measures each attempt, in seconds', async () => {
  metered().happened(done('sendMessage', 250), done('sendMessage', 1750), done('getUpdates', 25_000));
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_api_duration_seconds_sum', { method: 'sendMessage' })).toBe(2);
  expect(scrape.value('telegram_api_duration_seconds_bucket', { method: 'sendMessage', le: '0.25' })).toBe(1);
  expect(scrape.value('telegram_api_duration_seconds_bucket', { method: 'getUpdates', le: '30' })).toBe(1);
});

it('gathers unknown methods under one label', async () => {
  const before = (await metered().scrape()).samples.length;
  for (let n = 0; n < 100; n++) metered().happened(done(`method${n}`));
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_api_requests_total', { method: 'other' })).toBe(100);
  expect(scrape.samples).toHaveLength(before);
});
