import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { PasskeyStore } from '../../src/people/passkeys/passkey-store';
import { Api } from '../support/api';
import { buttonsOf as textsOf } from '../support/sandbox-client';
import { SoftPasskey } from '../support/passkeys';
import { TelegramRig } from '../support/telegram-rig';
import { injectTap, newTapId } from '../support/injected-tap';
import { until } from '../support/until';
import { issueKey, keyIs } from '../support/keys';
import { CHAT_ID, OPERATOR_ID, OPERATOR_KEY, STRANGER_ID } from '../support/well-known';

const PAUL = 3;
const ADA = 5;
const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  paul: { telegram: ${PAUL}, groups: [sre] }
  rita: { telegram: ${STRANGER_ID}, groups: [leads] }
  ada: { telegram: ${ADA}, groups: [admins] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
  - id: signed
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, destroy]] } }
    class: signed
  - id: questions
    decision: ask
    match: { tool: [AskUserQuestion] }
    class: signed
classes:
  critical: { approvals: 2, from: sre }
  signed: { via: console }
`;

let rig: TelegramRig;
beforeAll(async () => {
  // Under a policy that names people, the operators of the configuration decide nothing.
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: '99:Somebody', CONSOLE_URL: 'https://c.example.com' });
  const admin = await issueKey(rig.database, 'admin', 'maria', 'maria');
  await until('the policy is applied', async () => {
    const response = await fetch(`${rig.app.url}/api/policy`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', 'if-none-match': '*' },
      body: POLICY,
    });
    return response.status === 200;
  });
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

const production = { toolInput: { command: 'terraform apply' }, cwd: '/srv/shop' };

const buttonsOf = async (messageId: number) =>
  (await rig.chat.message(messageId)).buttons.map((row) => row.map(({ text }) => text));

const buttonsBecome = (messageId: number, texts: string[][]) =>
  until(`the buttons are ${texts.join()}`, async () => (await buttonsOf(messageId)).join() === texts.join());

it('a card counts approvals on its button, and settles with the second person', async () => {
  const { approval, card } = await rig.shown(production);
  expect(card.text).toContain('Needs: 2 people of sre');
  expect(await buttonsOf(card.messageId)).toEqual([['✅ Approve (0 of 2)', '❌ Reject'], ['💬 Say why …']]);

  const first = await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
  expect(first?.text).toContain('1 of 2 approvals');
  await buttonsBecome(card.messageId, [
    ['✅ Approve (1 of 2: olivia)', '❌ Reject'],
    ['💬 Say why …', '↩️ Take mine back'],
  ]);
  // The text is what both approve, so it stays.
  expect((await rig.chat.message(card.messageId)).text).toBe(card.text);

  const again = await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
  expect(again?.text).toContain('1 of 2 approvals');
  const second = await rig.chat.press(card.messageId, 'Approve', PAUL);
  expect(second?.text).toContain('Approved by you');
  const settled = await until('the card shows the outcome', async () => {
    const message = await rig.chat.message(card.messageId);
    return message.buttons.length === 0 ? message : null;
  });
  expect(settled.text).toContain('Approved by paul');
  expect(settled.text).toContain('and by olivia');
  const { body } = await rig.api.get(approval.id);
  expect(body).toMatchObject({ status: 'approved', decision: { by: { name: 'paul' } } });
});

it('/pending has what the asker sees, and what only an admin sees not where others read it', async () => {
  const { approval } = await rig.shown({ ...production, sessionId: 'listed' });
  const listed = async (from: number, chat: number) => {
    const messageId = await rig.chat.say('/pending', { user: from, chat });
    const reply = await until('the list', async () =>
      (await rig.chat.messages(chat)).find(({ replyTo }) => replyTo === messageId),
    );
    return reply.text.includes(approval.id.slice(-8));
  };
  expect(await listed(OPERATOR_ID, Number(CHAT_ID))).toBe(true);
  expect(await listed(STRANGER_ID, STRANGER_ID)).toBe(false);
  expect(await listed(ADA, ADA)).toBe(true);
  expect(await listed(ADA, Number(CHAT_ID))).toBe(false);
  await rig.api.call('agent', 'POST', `/api/approvals/${approval.id}/cancel`, {});
});

it('a person takes an approval back, and somebody of another group decides nothing', async () => {
  const { approval, card } = await rig.shown({ ...production, sessionId: 'another' });
  const refused = await rig.chat.press(card.messageId, 'Approve', STRANGER_ID);
  expect(refused?.text).toContain('other people');
  await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
  await buttonsBecome(card.messageId, [
    ['✅ Approve (1 of 2: olivia)', '❌ Reject'],
    ['💬 Say why …', '↩️ Take mine back'],
  ]);
  const back = await rig.chat.press(card.messageId, 'Take mine back', OPERATOR_ID);
  expect(back?.text).toContain('Taken back');
  await buttonsBecome(card.messageId, [['✅ Approve (0 of 2)', '❌ Reject'], ['💬 Say why …']]);
  const rejected = await rig.chat.press(card.messageId, 'Reject', PAUL);
  expect(rejected?.text).toContain('Rejected by you');
  expect((await rig.api.get(approval.id)).body.status).toBe('rejected');
});

it('a tap that Telegram delivers again counts no second time after its person took the approval back', async () => {
  const { approval, card } = await rig.shown(production);
  const answers = async (id: string) =>
    (await rig.chat.calls('answerCallbackQuery')).filter(({ params }) => params.callback_query_id === id);
  const { messageId, buttons } = await rig.chat.message(card.messageId);
  const data = buttons.flat().find(({ text }) => text.includes('Approve'))?.data ?? '';
  const tap = { id: newTapId(), data, messageId, buttons };
  await injectTap(rig, tap);
  const counted = async () => ((await rig.api.get(approval.id)).body.decisions as unknown[]).length;
  await until('it counts', async () => (await counted()) === 1);
  await buttonsBecome(messageId, [
    ['✅ Approve (1 of 2: olivia)', '❌ Reject'],
    ['💬 Say why …', '↩️ Take mine back'],
  ]);
  await rig.chat.press(messageId, 'Take mine back', OPERATOR_ID);

  await injectTap(rig, tap);
  await until('it is answered again', async () => (await answers(tap.id)).length === 2);
  expect((await answers(tap.id))[1]?.params.text).toContain('counted before');
  expect((await rig.api.get(approval.id)).body).toMatchObject({ status: 'pending', decisions: [] });
  const paul = await rig.chat.press(messageId, 'Approve', PAUL);
  expect(paul?.text).toContain('1 of 2 approvals');
});

it('a tap for all calls of a turn decides nothing for the one whose own agent asks, and says why', async () => {
  const agent = await issueKey(rig.database, 'agent', 'ritas-agent', 'Rita');
  await keyIs(true, rig.app.url, agent);
  const ritas = new Api(rig.app.url, { agent, operator: OPERATOR_KEY });
  const asked = await Promise.all(
    ['npm run test', 'npm run lint'].map((command) =>
      ritas.enqueue({ toolInput: { command }, cwd: '/srv/shop', sessionId: 'ritas' }),
    ),
  );
  const ids = asked.map(({ body }) => body.id);
  const summary = await rig.chat.find('the summary', (message) =>
    textsOf(message).includes('✅ Approve all 2'),
  );
  const refused = await rig.chat.press(summary.messageId, 'Approve all 2', STRANGER_ID);
  expect(refused).toMatchObject({ showAlert: true, text: expect.stringContaining('other people') as string });
  const audited = await rig.database.query(
    `select 1 from audit_log where approval_id = any($1::uuid[]) and actor = $2
       and type = 'approval.decision-refused' and data::jsonb ->> 'reason' = 'not-eligible'`,
    [ids, `telegram:${STRANGER_ID}`],
  );
  expect(audited).toHaveLength(2);
  for (const id of ids) expect((await ritas.get(id)).body.status).toBe('pending');
  const decided = await rig.chat.press(summary.messageId, 'Approve all 2', PAUL);
  expect(decided?.text).toContain('2 approved by you');
});

it('a card that settles while its buttons are edited gets no buttons back', async () => {
  const { card } = await rig.shown({ ...production, sessionId: 'held' });
  await rig.chat.fault({ method: 'editMessageReplyMarkup', count: 1, delayMs: 4_000 });
  await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
  await until('the edit is under way', async () => (await rig.calls('editMessageReplyMarkup')).length > 0);
  await rig.chat.press(card.messageId, 'Approve', PAUL);
  await until('the outcome was shown again after that edit', async () => {
    const edits = await rig.calls('editMessageText');
    return edits.filter(({ params }) => params.message_id === card.messageId).length > 1;
  });
  expect((await rig.closed(card)).text).toContain('Approved by paul');
});

it('a card shows the decision that was counted while it was being sent', async () => {
  const key = await issueKey(rig.database, 'operator', 'olivia-laptop', 'olivia');
  await keyIs(true, rig.app.url, key);
  await rig.chat.fault({ method: 'sendMessage', count: 1, delayMs: 4_000 });
  const approval = await rig.asked({ ...production, sessionId: 'early' });
  await until('the card is under way', async () => (await rig.calls('sendMessage')).length > 0);
  await new Api(rig.app.url, { agent: key, operator: key }).decide(approval.id, 'approved');
  await until('the outcome found no card', async () => {
    const work = await rig.outboxOf(approval);
    return work.every(({ kind }) => kind !== 'outcome');
  });
  const { messageId } = await rig.chat.card(approval.id);
  await buttonsBecome(messageId, [
    ['✅ Approve (1 of 2: olivia)', '❌ Reject'],
    ['💬 Say why …', '↩️ Take mine back'],
  ]);
});

it('a card takes back what a removed passkey signed', async () => {
  const { approval, card } = await rig.shown({ ...production, sessionId: 'signed' });
  await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
  await buttonsBecome(card.messageId, [
    ['✅ Approve (1 of 2: olivia)', '❌ Reject'],
    ['💬 Say why …', '↩️ Take mine back'],
  ]);
  // As if she had signed it in the console, which the browser reaches by https only.
  const { credentialId } = await new SoftPasskey().enrol(rig.database, 'olivia');
  await rig.database.query(
    `update decisions set by_kind = 'console', by_id = 'person:olivia', signed = $2 where approval_id = $1`,
    [approval.id, JSON.stringify({ credentialId })],
  );
  const source = await createDataSource(rig.database.url, 1).initialize();
  try {
    const store = new PasskeyStore(new Database(source));
    const news = { event: 'passkey-revoked', by: 'cli:test', person: 'olivia' } as const;
    await store.revoke(credentialId, { actor: 'cli:test', lanes: [`telegram:${CHAT_ID}`] }, news);
  } finally {
    await source.destroy();
  }
  await buttonsBecome(card.messageId, [['✅ Approve (0 of 2)', '❌ Reject'], ['💬 Say why …']]);
});

it('where only a passkey approves, the card links the console in place of Approve, and a tap still rejects', async () => {
  const { approval, card } = await rig.shown({ toolInput: { command: 'terraform destroy' } });
  expect(card.text).toContain(`https://c.example.com/console/requests/${approval.id}`);
  expect(await buttonsOf(card.messageId)).toEqual([
    ['🔑 Approve in the console', '❌ Reject'],
    ['💬 Say why …'],
  ]);
  await rig.chat.press(card.messageId, 'Reject', OPERATOR_ID);
  await until('it is rejected', async () => (await rig.api.get(approval.id)).body.status === 'rejected');
});

it('a question that only a passkey may answer has no answers on its card', async () => {
  const options = ['yes', 'no'].map((label) => ({ label, description: label }));
  const questions = [{ question: 'Drop it?', header: 'db', multiSelect: false, options }];
  await rig.asked({ toolName: 'AskUserQuestion', toolInput: { questions } });
  const card = await rig.chat.find('the card', ({ text }) => text.includes('Drop it?'));
  expect(card.text).toContain('Answer it at the terminal');
  expect(card.text).not.toContain('Approve it in the console');
  expect(await buttonsOf(card.messageId)).toEqual([['❌ Reject', '💬 Say why …']]);
});
