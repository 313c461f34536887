import type { LogLine } from '../support/app';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { STRANGER_ID } from '../support/well-known';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

/** The short name of a log line: its event, and the method of a call to Telegram. */
const nameOf = ({ event, method }: LogLine): string =>
  event === 'telegram.call' ? `${event} ${String(method)}` : event;

const underId = (id: string): string[] =>
  rig.app.events.filter(({ correlationId }) => correlationId === id).map(nameOf);

it("carries the agent's id from its request to the answer, over a restart in between", async () => {
  const { body: approval } = await rig.api.enqueue({}, { 'X-Correlation-Id': 'trail-1' });
  const card = await rig.chat.card(approval.id);
  await rig.worked(approval);
  expect(underId('trail-1')).toEqual(
    expect.arrayContaining(['approval.enqueued', 'telegram.call sendMessage', 'escalation.card-sent']),
  );

  await rig.restart();
  const answer = rig.api.get(approval.id, 30);
  await until('the waiter waits', async () =>
    (await (await fetch(`${rig.app.url}/metrics`)).text()).includes('escalation_waiters 1'),
  );
  await rig.chat.press(card.messageId, 'Approve');
  // A caller that names no id of its own is given that of the approval.
  expect((await answer).headers.get('x-correlation-id')).toBe('trail-1');
  await rig.closed(card);
  const story = [
    'telegram.tap',
    'telegram.call answerCallbackQuery',
    'approval.settled',
    'telegram.call editMessageText',
  ];
  await until('the whole story is logged under the id', () =>
    story.every((each) => underId('trail-1').includes(each)),
  );
  const audited = await rig.database.query<{ correlation_id: string }>(
    `select distinct correlation_id from audit_log where approval_id = $1`,
    [approval.id],
  );
  expect(audited).toEqual([{ correlation_id: 'trail-1' }]);
});

it('leaves a caller the id that it named itself, and tells both of a decision by API', async () => {
  const { body: approval } = await rig.api.enqueue({}, { 'X-Correlation-Id': 'trail-2' });
  const path = `/api/approvals/${approval.id}`;
  const headers = { 'X-Correlation-Id': 'operator-7' };
  const decided = await rig.api.call(
    'operator',
    'POST',
    `${path}/decision`,
    { decision: 'approved' },
    headers,
  );
  expect(decided.headers.get('x-correlation-id')).toBe('operator-7');
  expect(rig.events('approval.settled').at(-1)).toMatchObject({
    approvalId: approval.id,
    correlationId: 'trail-2',
    causedBy: 'operator-7',
  });
  const read = await rig.api.call('agent', 'GET', path, undefined, { 'X-Correlation-Id': 'reader-1' });
  expect(read.headers.get('x-correlation-id')).toBe('reader-1');
});

it('tells under the same id what could not be sent', async () => {
  await rig.chat.fault({ method: 'sendMessage', count: 1, status: 403 });
  await rig.api.enqueue({}, { 'X-Correlation-Id': 'trail-3' });
  await until('the send is put off', () => underId('trail-3').includes('escalation.postponed'));
});

it("keeps a stranger's tap apart, under an id that its log line and its audit row share", async () => {
  const { card } = await rig.shown();
  await rig.chat.press(card.messageId, 'Approve', STRANGER_ID);
  const { correlationId } = await until('the refusal is logged', () =>
    rig.events('telegram.tap').find(({ result }) => result === 'not-an-operator'),
  );
  const rows = await rig.database.query(
    `select 1 from audit_log where type = 'access.unauthenticated' and correlation_id = $1`,
    [correlationId],
  );
  expect(rows).toHaveLength(1);
});
