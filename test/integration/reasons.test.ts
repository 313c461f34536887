import { keySetSchema } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import type { ApprovalJson } from '../support/api';
import { issueKey } from '../support/keys';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { OPERATOR_ID } from '../support/well-known';

const POLICY = `
version: 1
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { reason: required }
`;
const production = { toolInput: { command: 'terraform apply' }, cwd: '/srv/shop' };
const WHY = 'agreed in the change meeting';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
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

async function receiptOf({ receipt }: ApprovalJson) {
  const published = await fetch(`${rig.app.url}/.well-known/jwks.json`);
  return readReceipt(String(receipt), keySetSchema.parse(await published.json()));
}

describe('a class that demands a reason', () => {
  it('refuses a decision without one by REST, and says so in the request', async () => {
    const { id, required } = await rig.asked(production);
    expect(required).toMatchObject({ approvals: 1, reason: 'required' });
    for (const decision of ['approved', 'rejected'] as const)
      for (const reason of [undefined, '  ', '\u200b\u3164 \u2800']) {
        const path = `/api/approvals/${id}/decision`;
        const { status, body } = await rig.api.call('operator', 'POST', path, { decision, reason });
        expect([decision, reason, status, body.code]).toEqual([decision, reason, 400, 'reason.required']);
        expect(body.detail).toContain('demands a reason');
      }
    expect(await rig.statusOf({ id })).toBe('pending');
    const { body } = await rig.api.decide(id, 'approved', WHY);
    expect(body).toMatchObject({ status: 'approved', decision: { reason: WHY } });
    expect(await receiptOf(body)).toMatchObject({ status: 'approved', reason: WHY });
    // The same decision again decides nothing, so it needs no reason.
    expect((await rig.api.decide(id, 'approved')).status).toBe(200);
  });

  it('makes a tap ask for the reason, and a reply to the card decides with it', async () => {
    const { approval, card } = await rig.shown(production);
    expect(card.text).toContain('Needs: a reason with each decision');
    const asked = await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
    expect(asked).toMatchObject({
      showAlert: true,
      text: expect.stringContaining('needs your reason') as string,
    });
    expect(await rig.statusOf(approval)).toBe('pending');
    const said = await rig.chat.say(WHY, { user: OPERATOR_ID, replyTo: card.messageId });
    const offer = await rig.chat.find('the words with their buttons', ({ replyTo }) => replyTo === said);
    await rig.chat.press(offer.messageId, 'Approve with this note', OPERATOR_ID);
    await rig.closed(card);
    const { body } = await rig.api.get(approval.id);
    expect(body).toMatchObject({ status: 'approved', decision: { reason: WHY } });
    expect(await receiptOf(body)).toMatchObject({ reason: WHY });
  });

  it('makes a tap on Reject offer reasons, and one of them rejects', async () => {
    const { approval, card } = await rig.shown({ ...production, sessionId: 'another' });
    await rig.chat.press(card.messageId, 'Reject', OPERATOR_ID);
    const offer = await rig.chat.find('the reasons', ({ replyTo }) => replyTo === card.messageId);
    const [reason] = offer.buttons.flat();
    await rig.chat.press(offer.messageId, reason?.text ?? '', OPERATOR_ID);
    await rig.closed(card);
    const { body } = await rig.api.get(approval.id);
    expect(body.status).toBe('rejected');
    expect(body.decision?.reason).not.toBeNull();
  });

  it('asks for no reason where another class decides', async () => {
    const { card, approval } = await rig.shown({ toolInput: { command: 'make' }, sessionId: 'other' });
    await rig.chat.press(card.messageId, 'Approve', OPERATOR_ID);
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});
