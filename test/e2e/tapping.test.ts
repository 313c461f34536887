import { createHash } from 'node:crypto';
import type { ApprovalJson } from '../support/api';
import { buttonsOf, decisionsOf, type ChatMessage } from '../support/sandbox-client';
import { setStage, strike, type Stage } from '../support/stage';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID, STRANGER_ID } from '../support/well-known';

const MESSAGE_LIMIT = 4096;
const OTHER_CHAT = -1002;

let stage: Stage;

beforeAll(async () => {
  // Without retries inside a call, one fault is one failure.
  stage = await setStage({ APPROVAL_WARNING_MINUTES: '1', TELEGRAM_RETRY_MAX_ATTEMPTS: '0' });
});
afterAll(strike);

async function asked(more: Record<string, unknown> = {}): Promise<ApprovalJson> {
  const { status, body } = await stage.api.enqueue(more);
  expect(status).toBe(201);
  return body;
}

const statusOf = async ({ id }: ApprovalJson): Promise<string> => (await stage.api.get(id)).body.status;

const auditOf = ({ id }: ApprovalJson): Promise<{ type: string; actor: string }[]> =>
  stage.database.query('select type, actor from audit_log where approval_id = $1 order by seq', [id]);

/** Waits until the card was edited to its end: no button is left. */
const finalCard = ({ messageId }: ChatMessage): Promise<ChatMessage> =>
  stage.chat.find(
    'the outcome on the card',
    (message) => message.messageId === messageId && buttonsOf(message).length === 0,
  );

describe('one tap', () => {
  it.each([
    { button: 'Approve', verdict: 'approved', shown: 'Approved by Olivia (Telegram id 1)' },
    { button: 'Reject', verdict: 'rejected', shown: 'Rejected by Olivia (Telegram id 1)' },
  ])(
    'on $button answers the waiting agent and is written on the card',
    async ({ button, verdict, shown }) => {
      const command = `systemctl restart shop && echo "<${verdict}> & done" | tee /var/log/shop`;
      const approval = await asked({
        toolInput: { command },
        cwd: '/srv/shop',
        summary: 'Restart the shop',
      });
      const waiting = stage.api.get(approval.id, 30);

      const card = await stage.chat.card(approval.id);
      for (const part of [command, 'Bash', 'claude-code', 'session-1', '/srv/shop', 'Restart the shop'])
        expect(card.text).toContain(part);
      expect(decisionsOf(card)).toEqual([
        expect.stringContaining('Approve'),
        expect.stringContaining('Reject'),
      ]);

      const answer = await stage.chat.press(card.messageId, button);
      expect(answer).toMatchObject({ showAlert: false });
      const { body } = await waiting;
      expect(body).toMatchObject({
        status: verdict,
        decision: { by: { kind: 'telegram', id: String(OPERATOR_ID), name: 'Olivia' }, reason: null },
      });

      const settledAt = /^(\S+)T(\d\d:\d\d)/.exec(body.settledAt ?? '');
      const { text } = await finalCard(card);
      expect(text).toContain(shown);
      expect(text).toContain(settledAt?.[1]);
      expect(text).toContain(settledAt?.[2]);
      expect(text).toContain(command);
    },
  );

  it('counts once when it comes twice, and the second is told the truth', async () => {
    const approval = await asked();
    const card = await stage.chat.card(approval.id);
    const answers = await Promise.all([
      stage.chat.press(card.messageId, 'Approve'),
      stage.chat.press(card.messageId, 'Approve'),
    ]);
    for (const answer of answers) expect(answer?.text).toMatch(/approved by/i);
    expect(await auditOf(approval)).toEqual([
      { type: 'approval.enqueued', actor: 'api:bootstrap-agent' },
      { type: 'approval.approved', actor: `telegram:${OPERATOR_ID}` },
    ]);
  });

  it('after another decision changes nothing and is told who decided', async () => {
    const approval = await asked();
    const card = await stage.chat.card(approval.id);
    // The outcome cannot be written on the card for now: its buttons stay.
    await stage.chat.fault({ method: 'editMessageText', status: 500 });
    await stage.api.decide(approval.id, 'rejected', 'not today');
    const answer = await stage.chat.press(card.messageId, 'Approve');
    expect(answer).toMatchObject({
      showAlert: true,
      text: expect.stringMatching(/already rejected by/i) as string,
    });
    expect(await statusOf(approval)).toBe('rejected');
    expect((await finalCard(card)).text).toContain('not today');
  });

  it('after the request expired approves nothing and is told so', async () => {
    await stage.chat.fault({ method: 'editMessageText', status: 500 });
    const approval = await asked({ timeoutSeconds: 1 });
    const card = await stage.chat.card(approval.id);
    expect((await stage.api.get(approval.id, 10)).body.status).toBe('expired');
    const answer = await stage.chat.press(card.messageId, 'Approve');
    expect(answer).toMatchObject({ showAlert: true, text: expect.stringMatching(/expired/) as string });
    expect(await statusOf(approval)).toBe('expired');
    expect((await finalCard(card)).text).toContain('nobody answered');
  });
});

describe('whoever is not an operator', () => {
  it('gets an alert for a tap, decides nothing, and is written down', async () => {
    const approval = await asked();
    const card = await stage.chat.card(approval.id);
    const answer = await stage.chat.press(card.messageId, 'Approve', STRANGER_ID);
    expect(answer).toMatchObject({
      showAlert: true,
      text: expect.stringContaining('not an operator') as string,
    });
    expect(await statusOf(approval)).toBe('pending');
    const rows = await stage.database.query<{ data: string }>(
      'select data from audit_log where type = $1 and actor = $2',
      ['access.unauthenticated', `telegram:${STRANGER_ID}`],
    );
    expect(rows.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { result: 'not-an-operator', chatId: CHAT_ID, messageId: card.messageId },
    ]);
    expect(decisionsOf(await stage.chat.message(card.messageId))).toHaveLength(2);
  });

  it('gets no answer to /pending and /status, and learns the own id from /whoami', async () => {
    const approval = await asked();
    await stage.chat.card(approval.id);
    const unanswered = [
      await stage.chat.say('/pending', { user: STRANGER_ID }),
      await stage.chat.say('/status', { user: STRANGER_ID }),
    ];
    // Updates are handled in order: the answer to the last shows that the others had their turn.
    const whoami = await stage.chat.ask('/whoami', STRANGER_ID);
    expect(whoami).toContain(String(STRANGER_ID));
    expect(whoami).toContain('not an operator');
    const replied = (await stage.chat.messages()).map(({ replyTo }) => replyTo);
    for (const question of unanswered) expect(replied).not.toContain(question);
  });
});

describe('commands of an operator', () => {
  it('answer with what is pending, how it stands, who asks, and help', async () => {
    const approval = await asked({ toolInput: { command: 'terraform destroy' } });
    await stage.chat.card(approval.id);
    const pending = await stage.chat.ask('/pending');
    expect(pending).toContain(approval.id.slice(-8));
    expect(pending).toContain('terraform destroy');
    expect(await stage.chat.ask('/status')).toMatch(/Waiting for a decision: [1-9]/);
    expect(await stage.chat.ask('/whoami')).toMatch(/Olivia.*id 1[\s\S]*You are an operator/);
    expect(await stage.chat.ask('/help')).toContain('/pending');
  });
});

describe('an update that no tap of ours made', () => {
  /** Leaves room between two for the ids of genuine updates. */
  const STEP = 1000;
  let updateId = 900_000_000;

  /** Puts a callback query into the bot's queue and waits until it was answered. */
  async function tapped(query: { data: string; chat: number; messageId: number }): Promise<void> {
    updateId += STEP;
    const id = String(updateId);
    const callback_query = {
      id,
      from: { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
      message: {
        message_id: query.messageId,
        chat: { id: query.chat, type: 'supergroup' },
        date: 0,
        text: '',
      },
      chat_instance: '1',
      data: query.data,
    };
    await stage.chat.change('updates', { inject: [{ update_id: updateId, callback_query }] });
    await until('the tap is answered', async () =>
      (await stage.chat.calls('answerCallbackQuery')).some(({ params }) => params.callback_query_id === id),
    );
  }

  const dataOf = (card: ChatMessage, button: string): string =>
    card.buttons.flat().find(({ text }) => text.includes(button))?.data ?? '';

  it('has no effect from another chat, on another message, or with another nonce', async () => {
    const approval = await asked();
    const other = await asked();
    const card = await stage.chat.card(approval.id);
    const otherCard = await stage.chat.card(other.id);
    const data = dataOf(card, 'Approve');
    const here = { data, chat: Number(CHAT_ID), messageId: card.messageId };
    await tapped({ ...here, chat: OTHER_CHAT });
    await tapped({ ...here, messageId: otherCard.messageId });
    await tapped({ ...here, data: data.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) });
    await tapped({ ...here, data: `1:a:${approval.id}` });
    await tapped({ ...here, data: `${data}x` });
    expect([await statusOf(approval), await statusOf(other)]).toEqual(['pending', 'pending']);
    await tapped(here);
    expect(await statusOf(approval)).toBe('approved');
  });

  it('has no effect when it repeats a tap that was counted', async () => {
    const approval = await asked();
    const card = await stage.chat.card(approval.id);
    await stage.chat.press(card.messageId, 'Reject');
    for (const button of ['Reject', 'Approve'])
      await tapped({ data: dataOf(card, button), chat: Number(CHAT_ID), messageId: card.messageId });
    expect(await statusOf(approval)).toBe('rejected');
    expect((await auditOf(approval)).map(({ type }) => type)).toEqual([
      'approval.enqueued',
      'approval.rejected',
      'approval.decision-refused',
    ]);
  });
});

describe('telegram.md 15: an action too long for a message', () => {
  const command = `echo ${'0123456789abcdef'.repeat(1280)} | sha256sum`;

  async function documentOf(approval: ApprovalJson): Promise<{ sha256: string; text: string }> {
    const { document } = await stage.chat.find(
      'the document',
      ({ document, text }) => document !== null && text.includes(approval.id.slice(-8)),
    );
    const bytes = await stage.chat.document(document?.fileId ?? '');
    return { sha256: createHash('sha256').update(bytes).digest('hex'), text: bytes.toString('utf8') };
  }

  it('is attached whole, and the card shows the SHA-256 of the bytes that arrived', async () => {
    const approval = await asked({ toolInput: { command } });
    const card = await stage.chat.card(approval.id);
    const { sha256, text } = await documentOf(approval);
    expect(text).toContain(command);
    expect(card.text).toContain(sha256);
    expect(card.text.length).toBeLessThanOrEqual(MESSAGE_LIMIT);
    expect(decisionsOf(card)).toHaveLength(2);
    await stage.chat.press(card.messageId, 'Approve');
    expect((await finalCard(card)).text).toContain(sha256);
  });

  it('cannot be approved before it is attached, and can be rejected', async () => {
    await stage.chat.fault({ method: 'sendDocument', status: 500, count: 2 });
    const approval = await asked({ toolInput: { command } });
    const incomplete = await stage.chat.card(approval.id, 1);
    expect(buttonsOf(incomplete)).toEqual([expect.stringContaining('Reject')]);
    expect(incomplete.text).toContain('Approve appears once it is');

    const complete = await stage.chat.card(approval.id, 2);
    expect(complete.messageId).toBe(incomplete.messageId);
    expect(complete.text).not.toContain('Approve appears once it is');
    expect(complete.text).toContain((await documentOf(approval)).sha256);
    await stage.chat.press(complete.messageId, 'Approve');
    expect(await statusOf(approval)).toBe('approved');
  });
});

describe('telegram.md 18: the warning before the timeout', () => {
  const warningOf = ({ id }: ApprovalJson) =>
    stage.database.query<{ available_at: Date }>(
      `select available_at from outbox where approval_id = $1 and kind = 'warning'`,
      [id],
    );

  it('replies to the card once its time has come, and not before', async () => {
    const approval = await asked({ timeoutSeconds: 121 });
    const card = await stage.chat.card(approval.id);
    const [warning] = await until('the warning is planned', async () => {
      const rows = await warningOf(approval);
      return rows.length > 0 && rows;
    });
    expect(warning?.available_at.getTime()).toBe(Date.parse(approval.expiresAt) - 60_000);
    const repliesTo = async () =>
      (await stage.chat.messages()).filter(({ replyTo }) => replyTo === card.messageId);
    expect(await repliesTo()).toEqual([]);

    await stage.database.query(`update outbox set available_at = now() where approval_id = $1`, [
      approval.id,
    ]);
    const { text } = await stage.chat.find('the warning', ({ replyTo }) => replyTo === card.messageId);
    expect(text).toContain('Nobody has decided yet');
    await until('the warning is done', async () => (await warningOf(approval)).length === 0);
    expect(await repliesTo()).toHaveLength(1);
  });

  it('is not planned for a request shorter than twice its lead', async () => {
    const approval = await asked({ timeoutSeconds: 119 });
    await stage.chat.card(approval.id);
    // The same transaction that ends the card's work would have planned it.
    await until('the card is done', async () => {
      const rows = await stage.database.query(
        `select 1 from outbox where approval_id = $1 and kind = 'card'`,
        [approval.id],
      );
      return rows.length === 0;
    });
    expect(await warningOf(approval)).toEqual([]);
  });
});
