import type { ApprovalJson } from '../support/api';
import { Api } from '../support/api';
import { Service } from '../support/processes';
import { buttonsOf, type ChatMessage } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';

let stage: Backdrop;
let service: Service;
let api: Api;

const start = async (): Promise<void> => {
  service = await Service.start({
    ...stage.environment,
    ESCALATION_LEASE_SECONDS: '2',
    APPROVAL_WARNING_MINUTES: '0',
  });
  api = new Api(service.url);
};

beforeAll(async () => {
  stage = await setBackdrop();
  await start();
});
afterAll(strike);
beforeEach(async () => {
  await stage.chat.clearFaults();
  session += 1;
});

let session = 0;

const askTogether = (...commands: string[]): Promise<ApprovalJson[]> =>
  Promise.all(
    commands.map(async (command) => {
      const more = { toolInput: { command }, cwd: '/srv/shop', sessionId: `turns-${session}` };
      return (await api.enqueue(more)).body;
    }),
  );

const summary = (command: string): Promise<ChatMessage> =>
  stage.chat.find(
    'the summary',
    (message) =>
      buttonsOf(message).some((text) => text.includes('Approve all')) && message.text.includes(command),
    20_000,
  );

const closed = ({ messageId }: ChatMessage): Promise<ChatMessage> =>
  stage.chat.find(
    'a message without buttons',
    (message) => message.messageId === messageId && buttonsOf(message).length === 0,
    20_000,
  );

const statusOf = async ({ id }: ApprovalJson): Promise<string> => (await api.get(id)).body.status;

it('one tap answers every waiting agent, and all messages show it', async () => {
  const asked = await askTogether('make one', 'make two', 'make three');
  const waiting = asked.map(({ id }) => api.get(id, 50));
  const message = await summary('make one');
  await stage.chat.press(message.messageId, 'Approve all 3');
  for (const { body } of await Promise.all(waiting))
    expect(body).toMatchObject({ status: 'approved', decision: { by: { name: 'Olivia' } } });
  expect((await closed(message)).text).toContain('approved by Olivia');
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toMatch(/^escalation_turns_decided_total\{decision="approved"\} 1$/m);
  expect(metrics).toMatch(/^escalation_turn_taps_saved_total 2$/m);
});

it('after kill -9 between the cards and their summary, the summary comes', async () => {
  const asked = await askTogether('npm run one', 'npm run two');
  await Promise.all(asked.map(({ id }) => stage.chat.card(id)));
  await service.kill();
  await start();
  const message = await summary('npm run one');
  await stage.chat.press(message.messageId, 'Reject all 2');
  for (const each of asked) expect(await statusOf(each)).toBe('rejected');
});

it('after kill -9 between the decision and the edits, each call has one decision and every message shows it', async () => {
  const asked = await askTogether('git one', 'git two', 'git three');
  const message = await summary('git one');
  await stage.chat.fault({ method: 'editMessageText', count: 100, delayMs: 60_000 });
  await stage.chat.press(message.messageId, 'Approve all 3');
  await until('an edit is under way', async () =>
    (await stage.chat.calls('editMessageText')).some(({ status }) => status === null),
  );
  await service.kill();
  await stage.chat.clearFaults();
  await start();
  await closed(message);
  for (const each of asked) {
    const card = (await stage.chat.cardsOf(each.id))[0] as ChatMessage;
    expect((await closed(card)).text).toContain('Approved by Olivia');
    expect(await statusOf(each)).toBe('approved');
    const rows = await stage.database.query(
      `select (select count(*)::int from decisions where approval_id = $1) as decisions,
         (select count(*)::int from receipts where approval_id = $1) as receipts,
         (select count(*)::int from audit_log where approval_id = $1 and type = 'approval.approved') as audited`,
      [each.id],
    );
    expect(rows).toEqual([{ decisions: 1, receipts: 1, audited: 1 }]);
  }
});
