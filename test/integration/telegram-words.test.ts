import { buttonsOf, decisionsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { OPERATOR_ID, STRANGER_ID } from '../support/well-known';

const PAUL = 3;
const SAY_WHY = 'Say why';
const REJECT = 'Reject with this reason';
const APPROVE = 'Approve with this note';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${PAUL}:Paul` });
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

const replyTo = (messageId: number): Promise<ChatMessage> =>
  until('a reply of the bot', async () =>
    (await rig.chat.messages()).findLast((message) => message.replyTo === messageId && message.text !== ''),
  );

/** The bot's message below these words, written in reply to the card. */
async function said(words: string, card: ChatMessage, user = OPERATOR_ID): Promise<ChatMessage> {
  return replyTo(await rig.chat.say(words, { replyTo: card.messageId, user }));
}

const decisionOf = async ({ id }: { id: string }) => (await rig.api.get(id)).body.decision;

describe('a reply to a pending card', () => {
  it('decides nothing, and offers to send the words with either decision', async () => {
    const { approval, card } = await rig.shown();
    const offer = await said('use the staging\u200b cluster', card);
    expect(offer.text).toContain('Nothing is decided yet');
    expect(offer.text).toContain('use the staging\\u{200b} cluster');
    expect(buttonsOf(offer)).toEqual(['❌ Reject with this reason', '✅ Approve with this note']);
    for (const { data } of offer.buttons.flat()) expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
    expect(await rig.statusOf(approval)).toBe('pending');
    expect(decisionsOf(await rig.chat.message(card.messageId))).toHaveLength(2);
  });

  it.each([
    [REJECT, 'rejected', 'Reason: use staging'],
    [APPROVE, 'approved', 'Note: use staging'],
  ])('with %s is %s, and the agent hears the words', async (button, status, line) => {
    const { approval, card } = await rig.shown();
    const offer = await said('use staging', card);
    expect(await rig.chat.press(offer.messageId, button)).toMatchObject({ showAlert: false });
    const by = { kind: 'telegram', id: String(OPERATOR_ID), name: 'Olivia' };
    expect((await rig.api.get(approval.id)).body).toMatchObject({
      status,
      decision: { by, reason: 'use staging' },
    });
    expect((await rig.closed(card)).text).toContain(line);
    expect((await rig.closed(offer)).text).toContain('by Olivia (Telegram id');
    const [row] = await rig.database.query<{ data: string }>(
      `select data from audit_log where approval_id = $1 and type = $2`,
      [approval.id, `approval.${status}`],
    );
    expect(JSON.parse(row?.data ?? '{}')).toMatchObject({ reason: 'use staging' });
  });

  it('sends the words of its writer only, and only once', async () => {
    const { approval, card } = await rig.shown();
    const offer = await said('mine', card);
    const foreign = await rig.chat.press(offer.messageId, APPROVE, PAUL);
    expect(foreign).toMatchObject({ showAlert: true });
    expect(foreign?.text).toContain('another operator wrote these words');
    expect((await rig.chat.press(offer.messageId, APPROVE, STRANGER_ID))?.text).toContain('not an operator');
    expect(await rig.statusOf(approval)).toBe('pending');
    const second = await said('another thought', card);
    await rig.chat.press(offer.messageId, REJECT);
    const late = await rig.chat.press(second.messageId, APPROVE);
    expect(late?.text).toContain('Already rejected by Olivia');
    expect((await rig.closed(second)).text).toContain('Already rejected by Olivia');
    expect(await decisionOf(approval)).toMatchObject({ reason: 'mine' });
  });

  it('of one request sends nothing for another, nor from another message', async () => {
    const { card } = await rig.shown();
    const other = await rig.shown();
    const offer = await said('for the first', card);
    await rig.chat.press(offer.messageId, APPROVE);
    expect(await rig.statusOf(other.approval)).toBe('pending');
  });

  it('is refused with more than 1000 characters, and kept over a restart', async () => {
    const { approval, card } = await rig.shown();
    expect((await said('x'.repeat(1001), card)).text).toContain('at most 1000 characters');
    const offer = await said('kept', card);
    await rig.restart();
    await rig.chat.press(offer.messageId, REJECT);
    expect(await decisionOf(approval)).toMatchObject({ reason: 'kept' });
  });

  it('says on the card where the agent reads no note', async () => {
    const { approval, card } = await rig.shown();
    await rig.database.query(`update approvals set connector = 'mcp' where id = $1`, [approval.id]);
    const offer = await said('be careful', card);
    expect(offer.text).toContain('this agent reads no note');
    await rig.chat.press(offer.messageId, APPROVE);
    expect((await rig.closed(card)).text).toContain('this agent reads no note');
  });

  it('of a settled request is not kept', async () => {
    const { card } = await rig.shown();
    await rig.chat.press(card.messageId, 'Approve');
    expect((await said('too late', card)).text).toContain('not taken as a reason');
  });
});

describe('the reasons below a card', () => {
  it('are two taps away, and Reject alone stays one', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.press(card.messageId, SAY_WHY);
    const offer = await replyTo(card.messageId);
    expect(await rig.statusOf(approval)).toBe('pending');
    expect(buttonsOf(offer)).toEqual([
      '❌ Not now',
      '❌ Ask for a smaller change',
      '❌ Wrong directory',
      '❌ I will do it myself',
    ]);
    const answer = await rig.chat.press(offer.messageId, 'Wrong directory', PAUL);
    expect(answer?.text).toContain('The agent reads the reason');
    expect((await rig.api.get(approval.id)).body).toMatchObject({
      status: 'rejected',
      decision: { by: { name: 'Paul' }, reason: 'wrong directory' },
    });
    await rig.closed(card);
    expect((await rig.closed(offer)).text).toContain('Rejected by Paul');

    const next = await rig.shown();
    await rig.chat.press(next.card.messageId, 'Reject');
    expect(await decisionOf(next.approval)).toMatchObject({ reason: null });
  });

  it('are not valid without the message that shows them', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.press(card.messageId, SAY_WHY);
    const offer = await replyTo(card.messageId);
    await rig.chat.press(card.messageId, 'Approve');
    const late = await rig.chat.press(offer.messageId, 'Not now');
    expect(late?.text).toContain('Already approved by Olivia');
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});
