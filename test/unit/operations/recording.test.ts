import { eachTestItsMetrics, enqueued, settled } from './metered';

const metered = eachTestItsMetrics();

const recordFailures = () => metered().log.filter((line) => line.includes('"event":"metrics.record-failed"'));

it('a metric that throws stops neither the publisher nor the next event, and is told once', async () => {
  const broken = jest
    .spyOn(metered().counter('escalation_queue_enqueue_total'), 'inc')
    .mockImplementation(() => {
      throw new Error('the registry is broken');
    });
  expect(() => metered().happened(enqueued(), enqueued(), enqueued())).not.toThrow();
  expect(recordFailures()).toHaveLength(1);
  expect(recordFailures()[0]).toContain('the registry is broken');
  broken.mockRestore();
  metered().happened(enqueued());
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_queue_enqueue_total')).toBe(1);
  // The three that were not counted are pending all the same.
  expect(scrape.value('escalation_queue_depth_histogram_sum')).toBe(4);
});

it('tells again when it breaks again', () => {
  const { counter, happened } = metered();
  const broken = () =>
    jest.spyOn(counter('escalation_queue_dequeue_total'), 'inc').mockImplementationOnce(() => {
      throw new Error('broken');
    });
  broken();
  happened(settled('approved'), settled('approved'));
  broken();
  happened(settled('approved'));
  expect(recordFailures()).toHaveLength(2);
});

it('does not mind events of others', async () => {
  class SomethingElse {}
  const before = (await metered().scrape()).text;
  metered().happened(new SomethingElse());
  expect((await metered().scrape()).text).toBe(before);
});
