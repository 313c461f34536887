import { AuditStreamed, AuditStreamFailed } from '../../../src/audit/stream/stream-events';
import { ReceiptsFailed } from '../../../src/receipts/receipt-events';
import { STEADY_MS } from '../../../src/channels/telegram/telegram-status';
import { eachTestItsMetrics, NOTHING_WAITS } from './metered';

const metered = eachTestItsMetrics();

it('a sweep in time is 1, a late one 0', async () => {
  expect((await metered().scrape()).value('approval_timeout_service_health')).toBe(1);
  metered().world.sweeper = { healthy: false, lagSeconds: 20, durationSeconds: 0.25 };
  const late = await metered().scrape();
  expect(late.value('approval_timeout_service_health')).toBe(0);
  expect(late.value('approval_sweep_lag_seconds')).toBe(20);
  expect(late.value('approval_sweep_duration_seconds')).toBe(0.25);
});

it('Telegram off is 0, and says that it is off', async () => {
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_service_health')).toBe(0);
  expect(scrape.value('telegram_enabled')).toBe(0);
});

it('Telegram on is 1 once every part of the way works', async () => {
  metered().telegram.enable();
  expect((await metered().scrape()).value('telegram_service_health')).toBe(0);
  metered().telegram.report('token', null);
  const scrape = await metered().scrape();
  expect(scrape.value('telegram_service_health')).toBe(1);
  expect(scrape.value('telegram_enabled')).toBe(1);
});

it('any broken part of the way to the operators is 0, until it is mended and stays so', async () => {
  const { telegram, clock } = metered();
  telegram.enable();
  telegram.report('token', null);
  telegram.report('chat', 'the chat cannot be reached');
  expect((await metered().scrape()).value('telegram_service_health')).toBe(0);
  telegram.report('chat', null);
  expect((await metered().scrape()).value('telegram_service_health')).toBe(0);
  clock.advance(STEADY_MS);
  expect((await metered().scrape()).value('telegram_service_health')).toBe(1);
});

it('shows the state of the breaker and counts its changes', async () => {
  const { breaker } = metered();
  breaker.forceOpen();
  const open = await metered().scrape();
  expect(open.all('circuit_breaker_state').map(({ labels, value }) => [labels.state, value])).toEqual([
    ['closed', 0],
    ['half-open', 0],
    ['open', 1],
  ]);
  breaker.forceClose();
  const closed = await metered().scrape();
  expect(closed.value('circuit_breaker_state', { state: 'closed' })).toBe(1);
  expect(closed.value('circuit_breaker_transitions_total', { to: 'open' })).toBe(1);
  expect(closed.value('circuit_breaker_transitions_total', { to: 'closed' })).toBe(1);
});

it('the audit log is 1 or 0 once it was verified, and neither before', async () => {
  expect((await metered().scrape()).all('audit_chain_ok')).toEqual([]);
  metered().world.auditOk = true;
  expect((await metered().scrape()).value('audit_chain_ok')).toBe(1);
  metered().world.auditOk = false;
  expect((await metered().scrape()).value('audit_chain_ok')).toBe(0);
});

it('shows what AUDIT_STREAM has not taken, where it is set', async () => {
  metered().world.backlog = { ...NOTHING_WAITS, auditStreamLagRows: 5, auditStreamLagSeconds: 2.5 };
  metered().clock.advance(1_001);
  expect((await metered().scrape()).all('audit_stream_lag_rows')).toEqual([]);
  metered().world.config.auditStream = {};
  const scrape = await metered().scrape();
  expect(scrape.value('audit_stream_lag_rows')).toBe(5);
  expect(scrape.value('audit_stream_lag_seconds')).toBe(2.5);
});

it('counts rows that AUDIT_STREAM took, and attempts that failed', async () => {
  metered().happened(new AuditStreamed(200));
  metered().happened(new AuditStreamFailed('timeout'));
  const scrape = await metered().scrape();
  expect(scrape.value('audit_stream_rows_total')).toBe(200);
  expect(scrape.value('audit_stream_failures_total', { reason: 'timeout' })).toBe(1);
  expect(scrape.value('audit_stream_failures_total', { reason: 'refused' })).toBe(0);
});

it('counts receipts that could not be made', async () => {
  expect((await metered().scrape()).value('receipts_failures_total')).toBe(0);
  metered().happened(new ReceiptsFailed(3));
  expect((await metered().scrape()).value('receipts_failures_total')).toBe(3);
});

it('shows waiters and the use of the pool', async () => {
  metered().world.waiters = 12;
  metered().world.pool = { max: 10, total: 10, idle: 3, waiting: 4 };
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_waiters')).toBe(12);
  expect(scrape.value('database_pool_connections', { state: 'busy' })).toBe(7);
  expect(scrape.value('database_pool_connections', { state: 'idle' })).toBe(3);
  expect(scrape.value('database_pool_connections_max')).toBe(10);
  expect(scrape.value('database_pool_waiting')).toBe(4);
});
