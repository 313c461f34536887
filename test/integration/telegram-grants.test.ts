import { buttonsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const PAUL = 3;
const ALLOW_MORE = 'Allow more';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${PAUL}:Paul` });
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.wipe();
  await rig.database.query('delete from grants');
});

const command = (text: string, more: Record<string, unknown> = {}) => ({
  toolInput: { command: text },
  cwd: '/srv/shop',
  ...more,
});

const replyTo = (messageId: number): Promise<ChatMessage> =>
  until('a reply', async () =>
    (await rig.chat.messages()).findLast((message) => message.replyTo === messageId),
  );

/** The message with the offers, after a tap on the card's third button. */
async function offersOf(card: ChatMessage): Promise<ChatMessage> {
  const answer = await rig.chat.press(card.messageId, ALLOW_MORE);
  expect(answer).toMatchObject({ showAlert: false });
  return replyTo(card.messageId);
}

/** The sandbox's own updates have lower numbers. */
let lastUpdate = 900_000_000;

/** A tap as a client may forge it: its message shows no buttons. @returns the id of the tap */
async function inject(data: string, messageId: number): Promise<string> {
  lastUpdate += 1_000;
  const id = `forged-${lastUpdate}`;
  const callback_query = {
    id,
    from: { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
    message: { message_id: messageId, chat: { id: Number(CHAT_ID), type: 'supergroup' }, date: 0, text: '' },
    chat_instance: '1',
    data,
  };
  await rig.chat.change('updates', { inject: [{ update_id: lastUpdate, callback_query }] });
  return id;
}

async function answerTo(id: string): Promise<string> {
  const call = await until('the tap is answered', async () =>
    (await rig.chat.calls('answerCallbackQuery')).find(({ params }) => params.callback_query_id === id),
  );
  return String(call.params.text);
}

it('a card offers scopes in words, below its two decisions', async () => {
  const { card } = await rig.shown(command('npm run test'));
  expect(card.buttons.map((row) => row.map(({ text }) => text))).toEqual([
    ['✅ Approve', '❌ Reject'],
    ['⏱ Allow more …', '💬 Say why …'],
  ]);
  const offers = await offersOf(card);
  expect(offers.text).toContain('1. this exact action – covers none of the last 7 days');
  expect(offers.text).toContain('2. npm run test in /srv/shop');
  expect(offers.buttons.map((row) => row.map(({ text }) => text))).toEqual([
    ['1 · 1 h', '1 · 8 h', '1 · 20 uses'],
    ['2 · 1 h', '2 · 8 h', '2 · 20 uses'],
  ]);
});

it('two taps approve the request and the next ones like it, and one revokes the grant', async () => {
  const { approval, card } = await rig.shown(command('npm run test'));
  const offers = await offersOf(card);
  const answer = await rig.chat.press(offers.messageId, '2 · 20 uses');
  expect(answer?.text).toContain('Approved by you, and the next ones like it');
  expect((await rig.api.get(approval.id)).body).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'telegram', id: String(OPERATOR_ID), name: 'Olivia' } },
  });
  await rig.closed(card);
  const next = await rig.asked(command('npm run test'));
  expect(next).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'grant', name: 'npm run test in /srv/shop (granted by Olivia)' } },
  });
  expect(await rig.chat.cardsOf(next.id)).toEqual([]);

  const granted = await rig.chat.find(
    'the grant in place of the offers',
    ({ messageId, text }) => messageId === offers.messageId && text.includes('Granted'),
  );
  expect(granted.text).toContain('20 uses left');
  const revoked = await rig.chat.press(granted.messageId, 'Revoke', PAUL);
  expect(revoked?.text).toContain('Revoked by you');
  expect((await rig.asked(command('npm run test'))).status).toBe('pending');
  expect((await rig.closed(granted)).text).toContain('by Paul');
});

it('settles the cards of the session that it covers', async () => {
  const first = await rig.shown(command('git status'));
  const second = await rig.shown(command('git diff'));
  await rig.chat.press((await offersOf(first.card)).messageId, '3 · 1 h');
  expect(await rig.statusOf(second.approval)).toBe('approved');
  expect((await rig.closed(second.card)).text).toContain(
    'git status|diff|log|show|blame|ls-files … in /srv/shop',
  );
});

it('is not offered where nothing can be granted', async () => {
  const { card } = await rig.shown(command('python3 deploy.py'));
  expect(buttonsOf(card)).toEqual(['✅ Approve', '❌ Reject', '💬 Say why …']);
});

it('is refused once the request was decided by somebody else', async () => {
  const { approval, card } = await rig.shown(command('npm run test'));
  const offers = await offersOf(card);
  await rig.chat.press(card.messageId, 'Reject', PAUL);
  const answer = await rig.chat.press(offers.messageId, '2 · 1 h');
  expect(answer).toMatchObject({ showAlert: true });
  expect(answer?.text).toContain('Already rejected by Paul');
  expect(await rig.statusOf(approval)).toBe('rejected');
  expect(await rig.database.query('select 1 from grants')).toEqual([]);
  await rig.closed(offers);
});

it('loses its buttons once the request was decided, whoever asked for the offers', async () => {
  const { card } = await rig.shown(command('npm run test'));
  const first = await offersOf(card);
  await rig.chat.press(card.messageId, ALLOW_MORE, PAUL);
  const second = await rig.chat.find(
    'the offers for Paul',
    ({ messageId, replyTo }) => replyTo === card.messageId && messageId !== first.messageId,
  );
  await rig.chat.press(card.messageId, 'Approve');
  for (const offers of [first, second])
    expect((await rig.closed(offers)).text).toContain('Not offered any more');
});

describe('an approval that comes too late', () => {
  /** The message that a late tap on the buttons of the card is answered with. */
  async function late(
    end: (id: string) => Promise<unknown>,
  ): Promise<{ card: ChatMessage; offer: ChatMessage }> {
    const { approval, card } = await rig.shown(command('npm run test'));
    // The card keeps its buttons for a while.
    await rig.chat.fault({ method: 'editMessageText', delayMs: 3_000 });
    await end(approval.id);
    const answer = await rig.chat.press(card.messageId, 'Approve');
    expect(answer).toMatchObject({ showAlert: true });
    return { card, offer: await replyTo(card.messageId) };
  }

  it('is made a grant of one use by a second tap, for whichever session asks in that directory', async () => {
    const { offer } = await late((id) =>
      rig.api.call('agent', 'POST', `/api/approvals/${id}/cancel`, { reason: 'the agent hung up' }),
    );
    expect(offer.text).toContain('Allow it once, if the agent asks again?');
    expect((await rig.chat.press(offer.messageId, 'Allow it once'))?.text).toContain('Allowed once by you');
    await rig.chat.find(
      'the grant in place of the offer',
      ({ messageId, text }) => messageId === offer.messageId && text.includes('1 use left'),
    );
    const again = command('npm run test', { sessionId: 'resumed' });
    expect((await rig.asked(again)).decision?.by).toMatchObject({ kind: 'grant' });
    expect((await rig.asked(again)).status).toBe('pending');
  });

  it('is offered with a button that goes once it can do nothing any more', async () => {
    const { card, offer } = await late((id) =>
      rig.api.call('agent', 'POST', `/api/approvals/${id}/cancel`, {}),
    );
    await rig.chat.press(card.messageId, 'Approve', PAUL);
    const second = await rig.chat.find(
      'the offer for Paul',
      ({ messageId, replyTo }) => replyTo === card.messageId && messageId !== offer.messageId,
    );
    await rig.chat.press(offer.messageId, 'Allow it once');
    const granted = await rig.chat.find(
      'the grant in place of the offer',
      ({ messageId, text }) => messageId === offer.messageId && text.includes('1 use left'),
    );
    expect((await rig.chat.press(second.messageId, 'Allow it once', PAUL))?.text).toContain(
      'no grant can be made',
    );
    expect((await rig.closed(second)).text).toContain('no grant can be made');

    await rig.database.query(
      "update grants set revoked_at = now(), revoked_by = 'test', revoked_why = 'rejection'",
    );
    expect((await rig.chat.press(granted.messageId, 'Revoke'))?.text).toContain('had ended already');
    expect((await rig.closed(granted)).text).toContain('had ended already');
  });

  it('is not offered for what an operator cancelled', async () => {
    const { approval, card } = await rig.shown(command('npm run test'));
    await rig.chat.fault({ method: 'editMessageText', delayMs: 3_000 });
    await rig.api.call('operator', 'POST', `/api/approvals/${approval.id}/cancel`, {});
    await rig.chat.press(card.messageId, 'Approve');
    await rig.closed(card);
    expect((await rig.chat.messages()).filter(({ replyTo }) => replyTo === card.messageId)).toEqual([]);
  });
});

it('takes no button from another message, and none that was not offered', async () => {
  const { approval, card } = await rig.shown(command('npm run test'));
  const other = await rig.shown(command('npm run lint'));
  const offers = await offersOf(card);
  const data = offers.buttons.flat()[3]?.data ?? '';
  const taps = [
    await inject(data, other.card.messageId),
    await inject(data.replace(/:[0-9a-f]{12}:/, `:${'0'.repeat(12)}:`), offers.messageId),
    await inject(data.replace(/.$/, 'x'), offers.messageId),
  ];
  for (const id of taps) expect(await answerTo(id)).toContain('not valid');
  expect(await rig.statusOf(approval)).toBe('pending');
  expect(await rig.statusOf(other.approval)).toBe('pending');
});

it('/grants lists what is open, with a button that ends each', async () => {
  const { card } = await rig.shown(command('npm run test'));
  await rig.chat.press((await offersOf(card)).messageId, '2 · 8 h');
  await rig.asked(command('npm run test'));
  const list = await replyTo(await rig.chat.say('/grants', { user: PAUL }));
  expect(list.text).toMatch(
    /1 open grant\n[0-9a-f]{8} npm run test in \/srv\/shop – key .*, by Olivia .* used 1 times, ends in (?:8 h|7 h 59 min)/,
  );
  const [button = ''] = buttonsOf(list);
  await rig.chat.press(list.messageId, button, PAUL);
  const empty = await replyTo(await rig.chat.say('/grants'));
  expect(empty.text).toContain('No grant is open.');
});
