import { decodeJwt } from 'jose';
import { answersDigest } from '../../src/kernel/questions';
import type { ApprovalJson } from '../support/api';
import { buttonsOf, decisionsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { OPERATOR_ID, STRANGER_ID } from '../support/well-known';

const PAUL = 3;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${PAUL}:Paul` });
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

const options = (...labels: string[]) => labels.map((label) => ({ label, description: `The ${label}` }));
const colour = { question: 'Which colour?', header: 'Colour', options: options('Red', 'Bl\u200bue') };
const fruits = { question: 'Which fruits?', multiSelect: true, options: options('Apple', 'Pear', 'Fig') };

/** The card of these questions, which has this number of buttons that decide. */
async function shown(
  questions: readonly object[],
  buttons: number,
): Promise<{ approval: ApprovalJson; card: ChatMessage }> {
  const approval = await rig.asked({ toolName: 'AskUserQuestion', toolInput: { questions } });
  const card = await rig.chat.card(approval.id, buttons);
  await rig.worked(approval);
  return { approval, card };
}

const replyTo = (messageId: number): Promise<ChatMessage> =>
  until('a reply of the bot', async () =>
    (await rig.chat.messages()).findLast((message) => message.replyTo === messageId && message.text !== ''),
  );

const settled = async ({ id }: ApprovalJson) => (await rig.api.get(id)).body;
const answersOf = async (approval: ApprovalJson) =>
  ((await settled(approval)).decision as { answers?: unknown } | null)?.answers;

const sheetWith = (messageId: number, text: string): Promise<ChatMessage> =>
  rig.chat.find(`the sheet says ${text}`, (each) => each.messageId === messageId && each.text.includes(text));

it('one tap on an option answers a lone question, once, with its evidence', async () => {
  const { approval, card } = await shown([colour], 3);
  expect(buttonsOf(card)).toEqual(['1 · Red', '2 · Bl\\u{200b}ue', '❌ Reject', '💬 Say why …']);
  expect(card.text).toContain('Tap an answer');
  expect((await rig.chat.press(card.messageId, 'Red', STRANGER_ID))?.text).toContain('not an operator');
  expect((await rig.chat.press(card.messageId, '2 ·'))?.text).toContain('Answered by you');
  const answers = { 'Which colour?': ['Bl\u200bue'] };
  const body = await settled(approval);
  expect(body).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'telegram', name: 'Olivia' }, reason: null, answers },
  });
  expect(decodeJwt(String(body.receipt))).toMatchObject({
    status: 'approved',
    answersDigest: answersDigest(answers),
    displayDigest: expect.stringMatching(/^sha256:/) as string,
  });
  const closed = await rig.closed(card);
  expect(closed.text).toContain('Answered by Olivia');
  expect(closed.text).toContain('Which colour?: Bl\\u{200b}ue');
  const [row] = await rig.database.query<{ data: string }>(
    `select data from audit_log where approval_id = $1 and type = 'approval.approved'`,
    [approval.id],
  );
  expect(JSON.parse(row?.data ?? '')).toMatchObject({ answersDigest: answersDigest(answers) });
  expect(row?.data).not.toContain('colour');
});

it('a sheet below the card takes several answers, and changes nothing before they are sent', async () => {
  const { approval, card } = await shown([colour, fruits], 2);
  expect(decisionsOf(card)).toEqual(['✍️ Answer …', '❌ Reject']);
  await rig.chat.press(card.messageId, 'Answer');
  const { messageId } = await replyTo(card.messageId);
  await rig.chat.press(messageId, '1 · Red');
  await sheetWith(messageId, '   Red');
  await rig.chat.press(messageId, '2 · Fig');
  await sheetWith(messageId, '   Fig');
  await rig.chat.press(messageId, '2 · Apple');
  const sheet = await sheetWith(messageId, '   Apple, Fig');
  for (const { data } of sheet.buttons.flat()) expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
  expect(await rig.statusOf(approval)).toBe('pending');
  await rig.chat.press(messageId, 'Send answers', PAUL);
  expect(await answersOf(approval)).toEqual({ 'Which colour?': ['Red'], 'Which fruits?': ['Apple', 'Fig'] });
  expect((await rig.closed(sheet)).text).toContain('Answered by Paul');
  await rig.closed(card);
});

it('a sheet cannot be sent before every question has an answer', async () => {
  const { card } = await shown([colour, fruits], 2);
  await rig.chat.press(card.messageId, 'Answer');
  const { messageId } = await replyTo(card.messageId);
  await rig.chat.press(messageId, '2 · Fig');
  expect(buttonsOf(await sheetWith(messageId, '   Fig'))).not.toContain('📨 Send answers');
});

it('a sheet loses its buttons once its question was answered', async () => {
  const { card } = await shown([colour, fruits], 2);
  await rig.chat.press(card.messageId, 'Answer');
  const sheet = await replyTo(card.messageId);
  await rig.chat.press(card.messageId, 'Reject', PAUL);
  await rig.chat.press(sheet.messageId, '1 · Red');
  expect((await rig.closed(sheet)).text).toContain('Already rejected by Paul');
});

it('a reply answers in own words, one line for each question', async () => {
  const { approval, card } = await shown([colour, fruits], 2);
  const short = await replyTo(await rig.chat.say('just green', { replyTo: card.messageId }));
  expect(buttonsOf(short)).toEqual(['❌ Reject with this reason']);
  expect(short.text).toContain('2 lines');
  const offer = await replyTo(await rig.chat.say('green\nkiwi', { replyTo: card.messageId }));
  expect(buttonsOf(offer)).toEqual(['💬 Answer with this', '❌ Reject with this reason']);
  expect((await rig.chat.press(offer.messageId, 'Answer with this', PAUL))?.text).toContain(
    'another operator wrote',
  );
  await rig.chat.press(offer.messageId, 'Answer with this');
  expect(await answersOf(approval)).toEqual({ 'Which colour?': ['green'], 'Which fruits?': ['kiwi'] });
});

it('one of two operators answers; the other is told so', async () => {
  const { approval, card } = await shown([colour], 3);
  const [first, second] = await Promise.all([
    rig.chat.press(card.messageId, '1 · Red'),
    rig.chat.press(card.messageId, '2 ·', PAUL),
  ]);
  const texts = [first?.text ?? '', second?.text ?? ''];
  expect(texts.filter((text) => text.includes('Answered by you'))).toHaveLength(1);
  expect(texts.filter((text) => text.includes('Already answered by'))).toHaveLength(1);
  expect(await rig.statusOf(approval)).toBe('approved');
});

it('Reject declines to answer, with a reason if the operator has one', async () => {
  const { approval, card } = await shown([colour], 3);
  await rig.chat.press(card.messageId, 'Reject');
  expect(await rig.statusOf(approval)).toBe('rejected');
});

describe('over REST', () => {
  const answer = (id: string, body: object) =>
    rig.api.call<{ code?: string; errors?: { message: string }[] }>(
      'operator',
      'POST',
      `/api/approvals/${id}/decision`,
      body,
    );

  it('answers approve; an approval without them does not, and the same ones again are no conflict', async () => {
    const { id } = await rig.asked({ toolName: 'AskUserQuestion', toolInput: { questions: [colour] } });
    const answers = { 'Which colour?': ['Red'] };
    expect(await answer(id, { decision: 'approved' })).toMatchObject({
      status: 409,
      body: { code: 'approval.not-decidable' },
    });
    expect(await answer(id, { decision: 'approved', answers: {} })).toMatchObject({
      status: 400,
      body: { errors: [{ message: 'lacks an answer to question 1' }] },
    });
    expect(await answer(id, { decision: 'rejected', answers })).toMatchObject({ status: 400 });
    expect(await answer(id, { decision: 'approved', answers })).toMatchObject({ status: 200 });
    expect(await answer(id, { decision: 'approved', answers })).toMatchObject({ status: 200 });
    const other = { 'Which colour?': ['Blue'] };
    expect(await answer(id, { decision: 'approved', answers: other })).toMatchObject({ status: 409 });
  });

  it('answers to a call that asks nothing are refused', async () => {
    const { id } = await rig.asked();
    expect(await answer(id, { decision: 'approved', answers: { a: ['b'] } })).toMatchObject({ status: 400 });
    expect((await rig.api.get(id)).body.status).toBe('pending');
  });
});
