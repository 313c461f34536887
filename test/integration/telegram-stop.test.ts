import { buttonsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const PAUL = 3;
const STRANGER = 6_000;
const BUTTON = '🛑 Stop';

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${PAUL}:Paul` });
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.database.query('update policy_state set stopped_at = null, stopped_by = null');
});

async function replyTo(question: number, chat = Number(CHAT_ID)): Promise<ChatMessage> {
  return until('a reply', async () =>
    (await rig.chat.messages(chat)).find((message) => message.replyTo === question),
  );
}

const ask = async (user = OPERATOR_ID) => replyTo(await rig.chat.say('/stop', { user }));

async function stoppedBy(): Promise<string | null> {
  const [state] = await rig.database.query<{ by: string | null }>(
    'select stopped_by as by from policy_state',
  );
  return state?.by ?? null;
}

const audited = () =>
  rig.database.query<{ type: string; actor: string }>(
    `select type, actor from audit_log where type like 'policy.%' order by seq desc limit 1`,
  );

describe('/stop', () => {
  it('stops with the second tap, under the name of the operator, and is announced', async () => {
    const offer = await ask();
    expect(offer.text).toContain('Only Olivia (Telegram id 1) can confirm it, within a minute.');
    expect(buttonsOf(offer)).toEqual([BUTTON]);
    expect(await stoppedBy()).toBeNull();

    const answer = await rig.chat.press(offer.messageId, BUTTON);
    expect(answer).toMatchObject({
      showAlert: false,
      text: expect.stringContaining('Stopped by you') as string,
    });
    expect(await stoppedBy()).toBe('telegram:1');
    expect(await audited()).toEqual([{ type: 'policy.stopped', actor: 'telegram:1' }]);
    await rig.chat.find('the announcement', ({ text }) => /stopped on every replica[^]*By Olivia/.test(text));
    expect((await rig.closed(offer)).text).toContain(
      'Olivia (Telegram id 1) stopped every rule that allows.',
    );
  });

  it('while it lasts, says who stopped, when, and how it ends, and offers nothing', async () => {
    await rig.chat.press((await ask()).messageId, BUTTON);
    const again = await ask(PAUL);
    expect(again.text).toMatch(/stopped already/);
    expect(again.text).toMatch(/By Olivia \(Telegram id 1\), \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
    expect(again.text).toContain('countersign policy resume');
    expect(buttonsOf(again)).toEqual([]);
  });

  it('names the key of a stop over the API', async () => {
    await rig.api.call('operator', 'POST', '/api/policy/stop');
    expect((await ask()).text).toContain('By API key bootstrap-operator');
  });

  it('outlives a restart between the taps', async () => {
    const offer = await ask();
    await rig.restart();
    expect(await rig.chat.press(offer.messageId, BUTTON)).toMatchObject({ showAlert: false });
    expect(await stoppedBy()).toBe('telegram:1');
  });
});

describe('the button of /stop', () => {
  it('is for the operator who sent it', async () => {
    const offer = await ask();
    const answer = await rig.chat.press(offer.messageId, BUTTON, PAUL);
    expect(answer).toMatchObject({ showAlert: true });
    expect(answer?.text).toContain('Nothing was stopped: another operator sent this /stop');
    expect(await stoppedBy()).toBeNull();
    // It is still good for its owner.
    await rig.chat.press(offer.messageId, BUTTON);
    expect(await stoppedBy()).toBe('telegram:1');
  });

  it('is good for a minute', async () => {
    const offer = await ask();
    await rig.database.query(`update stop_confirmations set created_at = created_at - interval '61 seconds'`);
    const answer = await rig.chat.press(offer.messageId, BUTTON);
    expect(answer?.text).toContain('Nothing was stopped: this button is valid for a minute');
    expect(await stoppedBy()).toBeNull();
    expect((await rig.closed(offer)).text).toContain('Send /stop again');
  });

  it('is good once, and only in its chat', async () => {
    const offer = await ask();
    await rig.database.query('update stop_confirmations set chat_id = chat_id - 1');
    expect((await rig.chat.press(offer.messageId, BUTTON))?.text).toMatch(/not valid/);
    await rig.database.query('update stop_confirmations set chat_id = chat_id + 1');
    const [first, second] = await Promise.all([
      rig.chat.press(offer.messageId, BUTTON),
      rig.chat.press(offer.messageId, BUTTON),
    ]);
    expect([first?.text, second?.text].some((text) => text?.includes('Stopped by you'))).toBe(true);
    const left = `select nonce from stop_confirmations where created_at > now() - interval '30 seconds'`;
    expect(await rig.database.query(left)).toEqual([]);
  });

  it('does nothing for a stranger, who also gets no answer to /stop', async () => {
    const offer = await ask();
    const answer = await rig.chat.press(offer.messageId, BUTTON, STRANGER);
    expect(answer?.text).toContain('You are not an operator here');
    expect(await stoppedBy()).toBeNull();
    const said = await rig.chat.say('/stop', { user: STRANGER });
    await ask();
    expect((await rig.chat.messages()).filter((message) => message.replyTo === said)).toEqual([]);
  });

  it('is not offered in a group that is not configured', async () => {
    const elsewhere = -6_001;
    const reply = await replyTo(await rig.chat.say('/stop', { chat: elsewhere }), elsewhere);
    expect(reply.text).toContain('does not answer in this chat');
    expect(buttonsOf(reply)).toEqual([]);
  });
});
