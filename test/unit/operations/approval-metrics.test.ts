import { ApprovalAcknowledged, DecisionCounted, StepBegun } from '../../../src/approvals/approval-events';
import { ConnectorAnswered } from '../../../src/agents/connector-events';
import { CardDelivered } from '../../../src/channels/delivery-events';
import { eachTestItsMetrics, enqueued, settled } from './metered';

const metered = eachTestItsMetrics();

const OUTCOMES = [
  'escalation_approvals_accepted_total',
  'escalation_approvals_rejected_total',
  'escalation_approvals_timeout_total',
] as const;

async function outcomes(): Promise<number[]> {
  const scrape = await metered().scrape();
  return OUTCOMES.map((name) => scrape.value(name));
}

it('counts an approval as accepted, and as nothing else', async () => {
  metered().happened(settled('approved'));
  expect(await outcomes()).toEqual([1, 0, 0]);
});

it('counts a rejection as rejected, and as nothing else', async () => {
  metered().happened(settled('rejected'));
  expect(await outcomes()).toEqual([0, 1, 0]);
});

it('counts an expiry as a timeout, and as nothing else', async () => {
  metered().happened(settled('expired'));
  expect(await outcomes()).toEqual([0, 0, 1]);
});

it('counts a request that was taken back under none of the three', async () => {
  metered().happened(settled('cancelled'));
  expect(await outcomes()).toEqual([0, 0, 0]);
});

it('measures the response from creation to decision, in seconds', async () => {
  metered().happened(
    settled('approved', { afterSeconds: 0.1 }),
    settled('rejected', { afterSeconds: 100 }),
    settled('approved', { afterSeconds: 7200 }),
  );
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_response_time_seconds_count')).toBe(3);
  expect(scrape.value('escalation_response_time_seconds_sum')).toBeCloseTo(7300.1);
  expect(scrape.value('escalation_response_time_seconds_bucket', { le: '0.1' })).toBe(1);
  expect(scrape.value('escalation_response_time_seconds_bucket', { le: '120' })).toBe(2);
  expect(scrape.value('escalation_response_time_seconds_bucket', { le: '7200' })).toBe(3);
});

it('has bounds from a tenth of a second to two hours', async () => {
  const bounds = (await metered().scrape())
    .all('escalation_response_time_seconds_bucket')
    .map(({ labels }) => labels.le);
  expect(bounds[0]).toBe('0.1');
  expect(bounds.slice(-2)).toEqual(['7200', '+Inf']);
});

it('measures no response where nobody responded', async () => {
  metered().happened(settled('expired'), settled('cancelled'));
  expect((await metered().scrape()).value('escalation_response_time_seconds_count')).toBe(0);
});

it('tells decisions in Telegram from decisions by API', async () => {
  metered().happened(
    settled('approved', { kind: 'telegram', afterSeconds: 2 }),
    settled('rejected', { kind: 'api', afterSeconds: 3 }),
    settled('approved', { kind: 'api', afterSeconds: 4 }),
  );
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_decision_seconds_count', { channel: 'telegram' })).toBe(1);
  expect(scrape.value('escalation_decision_seconds_sum', { channel: 'api' })).toBe(7);
});

it('never measures a negative time, whatever the clocks do', async () => {
  metered().happened(settled('approved', { afterSeconds: -5 }));
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_response_time_seconds_sum')).toBe(0);
  expect(scrape.value('escalation_response_time_seconds_count')).toBe(1);
});

it('counts escalations begun, and ended by status', async () => {
  metered().happened(enqueued(), enqueued(), settled('expired'));
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_initializations_total')).toBe(2);
  expect(
    scrape.all('escalation_completions_total').map(({ labels, value }) => [labels.status, value]),
  ).toEqual([
    ['approved', 0],
    ['rejected', 0],
    ['expired', 1],
    ['cancelled', 0],
  ]);
});

it('measures how long a card takes to the chat', async () => {
  metered().happened(new CardDelivered('id', 750));
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_delivery_seconds_sum')).toBe(0.75);
  expect(scrape.value('escalation_delivery_seconds_count')).toBe(1);
});

it('ten thousand agents leave the scrape as large as one does', async () => {
  metered().happened(enqueued('agent'));
  const before = (await metered().scrape()).samples.length;
  for (let agent = 0; agent < 10_000; agent++) metered().happened(enqueued(`agent-${agent}`));
  const after = await metered().scrape();
  expect(after.samples).toHaveLength(before);
  expect(after.value('escalation_queue_enqueue_total')).toBe(10_001);
});

it('counts what agents did with the answer, from zero on', async () => {
  metered().happened(new ApprovalAcknowledged('gone'));
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_acknowledgements_total', { outcome: 'gone' })).toBe(1);
  expect(scrape.value('escalation_acknowledgements_total', { outcome: 'resumed' })).toBe(0);
});

it('counts what agents were told at a connector, from zero on, and who waits there', async () => {
  metered().happened(new ConnectorAnswered('mcp', 'rejected'));
  metered().world.held.hook = 3;
  const scrape = await metered().scrape();
  expect(scrape.value('connector_answers_total', { connector: 'mcp', answer: 'rejected' })).toBe(1);
  expect(scrape.value('connector_answers_total', { connector: 'hook', answer: 'failed' })).toBe(0);
  expect(scrape.value('connector_waiting', { connector: 'hook' })).toBe(3);
});

it('counts decisions by the person, also those that leave a request pending', async () => {
  const olivia = { kind: 'person', channel: 'telegram', id: '7', name: 'olivia' } as const;
  metered().happened(
    new DecisionCounted('a', 'approved', olivia),
    new DecisionCounted('b', 'rejected', olivia),
    settled('expired'),
  );
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_person_decisions_total', { person: 'olivia' })).toBe(2);
  expect(scrape.all('escalation_person_decisions_total')).toHaveLength(1);
  metered().happened(settled('approved', { kind: 'telegram' }));
  expect((await metered().scrape()).all('escalation_person_decisions_total')).toHaveLength(2);
});

it('gives at most fifty people a series of their own', async () => {
  const people = Array.from({ length: 80 }, (_, i) => `person-${i}`);
  metered().happened(
    ...people.map(
      (name) => new DecisionCounted('a', 'approved', { kind: 'person', channel: 'api', id: name, name }),
    ),
  );
  const series = (await metered().scrape()).all('escalation_person_decisions_total');
  expect(series.length).toBeLessThanOrEqual(51);
  expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(80);
});

it('counts the step before one whose time has come as unanswered, and no step that nobody was reached by', async () => {
  const approval = { id: 'a', correlationId: 'c' };
  metered().happened(
    new StepBegun(approval, 1, 'time', 1),
    new StepBegun(approval, 2, 'time', 1),
    new StepBegun(approval, 3, 'undeliverable', 1),
  );
  const scrape = await metered().scrape();
  expect(scrape.value('escalation_unanswered_steps_total', { step: '1' })).toBe(1);
  expect(scrape.value('escalation_unanswered_steps_total', { step: '2' })).toBe(0);
});
