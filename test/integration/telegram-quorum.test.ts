import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { issueKey } from '../support/keys';
import { OPERATOR_ID, STRANGER_ID } from '../support/well-known';

const PAUL = 3;
const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  paul: { telegram: ${PAUL}, groups: [sre] }
  rita: { telegram: ${STRANGER_ID}, groups: [leads] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { approvals: 2, from: sre }
`;

let rig: TelegramRig;
beforeAll(async () => {
  // Under a policy that names people, the operators of the configuration decide nothing.
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: '99:Somebody' });
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
