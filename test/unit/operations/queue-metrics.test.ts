import { eachTestItsMetrics, enqueued, NOTHING_WAITS, settled } from './metered';

const metered = eachTestItsMetrics();
const AGED_MS = 1_001;

it('counts every request that is stored', async () => {
  metered().happened(enqueued(), enqueued(), enqueued());
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_queue_enqueue_total')).toBe(3);
  expect(scrape.value('escalation_queue_dequeue_total')).toBe(0);
});

it('counts every settlement as leaving the queue, whichever way', async () => {
  metered().happened(settled('approved'), settled('rejected'), settled('expired'), settled('cancelled'));
  expect((await metered().scrape()).value('escalation_queue_dequeue_total')).toBe(4);
});

it('shows as the size what the database counts, and not what this replica saw', async () => {
  metered().happened(enqueued(), enqueued());
  metered().world.backlog = { ...NOTHING_WAITS, pending: 41 };
  metered().clock.advance(AGED_MS);
  expect((await metered().scrape()).value('escalation_queue_size')).toBe(41);
});

it('observes the pending count at each enqueue, the new one included', async () => {
  metered().happened(enqueued(), enqueued(), settled('approved'), enqueued(), enqueued());
  const scrape = await metered().scrape();
  // 1, 2, then one left, so 2, 3.
  expect(scrape.value('escalation_queue_depth_histogram_count')).toBe(4);
  expect(scrape.value('escalation_queue_depth_histogram_sum')).toBe(8);
  expect(scrape.value('escalation_queue_depth_histogram_bucket', { le: '2' })).toBe(3);
});

it('counts the depth on from what other replicas have added, once a scrape has read it', async () => {
  metered().world.backlog = { ...NOTHING_WAITS, pending: 99 };
  metered().clock.advance(AGED_MS);
  await metered().scrape();
  metered().happened(enqueued());
  expect((await metered().scrape()).value('escalation_queue_depth_histogram_sum')).toBe(100);
});

it('shows how long the oldest request waits, and what waits for Telegram', async () => {
  metered().world.backlog = {
    pending: 3,
    unreachable: 0,
    oldestPendingSeconds: 61.5,
    outboxDue: 7,
    outboxScheduled: 2,
    outboxDead: 1,
    outboxOldestSeconds: 12.25,
    auditUnsealed: 4,
    auditSealLagSeconds: 1.5,
    auditStreamLagRows: 5,
    auditStreamLagSeconds: 2.5,
  };
  metered().clock.advance(AGED_MS);
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_oldest_pending_seconds')).toBe(61.5);
  expect(scrape.value('escalation_outbox_depth')).toBe(7);
  expect(scrape.value('escalation_outbox_scheduled')).toBe(2);
  expect(scrape.value('escalation_outbox_dead')).toBe(1);
  expect(scrape.value('audit_unsealed_rows')).toBe(4);
  expect(scrape.value('audit_seal_lag_seconds')).toBe(1.5);
  expect(scrape.value('escalation_outbox_oldest_seconds')).toBe(12.25);
});
