import { PendingEstimate } from '../../../src/operations/metrics/pending-estimate';

it('counts what this replica did on from what the database said', () => {
  const estimate = new PendingEstimate();
  estimate.reading()(10);
  expect(estimate.enqueued()).toBe(11);
  estimate.settled();
  estimate.settled();
  expect(estimate.enqueued()).toBe(10);
});

it('keeps what happens while the database is read', () => {
  const estimate = new PendingEstimate();
  const corrected = estimate.reading();
  estimate.enqueued();
  estimate.enqueued();
  corrected(100);
  expect(estimate.enqueued()).toBe(103);
});

it('forgets its drift with every reading', () => {
  const estimate = new PendingEstimate();
  for (let n = 0; n < 50; n++) estimate.enqueued();
  estimate.reading()(3);
  expect(estimate.enqueued()).toBe(4);
});

it('is never less than the request that is being counted', () => {
  const estimate = new PendingEstimate();
  // Settled here, stored by another replica.
  for (let n = 0; n < 5; n++) estimate.settled();
  expect(estimate.enqueued()).toBe(1);
});
