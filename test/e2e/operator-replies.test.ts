import { buttonsOf } from '../support/sandbox-client';
import { setStage, strike, type Stage } from '../support/stage';
import { until } from '../support/until';
import { OPERATOR_ID, STRANGER_ID, telegramEnvironment } from '../support/well-known';
import { Service } from '../support/processes';

jest.setTimeout(90_000);

const SECOND_OPERATOR = 3;
let stage: Stage;

beforeAll(async () => {
  stage = await setStage({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${SECOND_OPERATOR}:Paul` });
});

afterAll(strike);

async function rejected(): Promise<{ id: string; messageId: number }> {
  const { id } = (await stage.api.enqueue()).body;
  const { messageId } = await stage.chat.card(id);
  await stage.chat.press(messageId, 'Reject');
  await stage.chat.card(id, 0);
  return { id, messageId };
}

const reasonOf = async (id: string) => (await stage.api.get(id)).body.decision?.reason;

describe('telegram.md 20: a reply to the card', () => {
  it('by whoever rejected gives the reason, on the card and over REST, and is written down', async () => {
    const { id, messageId } = await rejected();
    await stage.chat.say('wrong cluster, use staging', { replyTo: messageId });
    await until('the reason is stored', async () => (await reasonOf(id)) === 'wrong cluster, use staging');
    await until('the card shows it', async () =>
      (await stage.chat.message(messageId)).text.includes('wrong cluster, use staging'),
    );
    const audit = await stage.database.query<{ type: string; actor: string }>(
      `select type, actor from audit_log where approval_id = $1 order by seq`,
      [id],
    );
    expect(audit.at(-1)).toEqual({ type: 'approval.explained', actor: `telegram:${OPERATOR_ID}` });
  });

  it('is taken once, and only from the operator who rejected', async () => {
    const { id, messageId } = await rejected();
    await stage.chat.say('not mine to say', { replyTo: messageId, user: SECOND_OPERATOR });
    await stage.chat.find('the refusal', ({ text }) => text.includes('not taken as a reason'));
    await stage.chat.say('from a stranger', { replyTo: messageId, user: STRANGER_ID });
    await stage.chat.say('the first', { replyTo: messageId });
    await until('the first is stored', async () => (await reasonOf(id)) === 'the first');
    const second = await stage.chat.say('the second', { replyTo: messageId });
    await stage.chat.find('the second refusal', ({ replyTo }) => replyTo === second);
    expect(await reasonOf(id)).toBe('the first');
  });

  it('survives a restart between the tap and the reply', async () => {
    const { id, messageId } = await rejected();
    const { url } = stage.chat;
    await stage.service.stop();
    const service = await Service.start({
      ...telegramEnvironment(url),
      DATABASE_URL: stage.database.url,
    });
    await stage.chat.say('said after the restart', { replyTo: messageId });
    const [row] = await until('the reason is stored', async () => {
      const rows = await stage.database.query<{ reason: string }>(
        'select reason from approvals where id = $1 and reason is not null',
        [id],
      );
      return rows.length > 0 && rows;
    });
    expect(row?.reason).toBe('said after the restart');
    await service.stop();
    stage = await setStage();
  });
});

describe('/pending', () => {
  it('shows ten at a time, leads to the next page, and brings one card up, deciding nothing', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push((await stage.api.enqueue({ sessionId: `s${i}` })).body.id);
    for (const id of ids) await stage.chat.card(id);
    const question = await stage.chat.say('/pending');
    const list = await stage.chat.find('the list', ({ replyTo }) => replyTo === question);
    expect(buttonsOf(list)).toHaveLength(11);
    await stage.chat.press(list.messageId, 'Next');
    const second = await until('the next page', async () => {
      const message = await stage.chat.message(list.messageId);
      return message.edits > 0 && message;
    });
    const oldest = ids[0] ?? '';
    expect(second.text).toContain(oldest.slice(-8));
    await stage.chat.press(list.messageId, oldest.slice(-8));
    const card = await stage.chat.card(oldest);
    await stage.chat.find(
      'the pointer to the card',
      ({ replyTo, text }) => replyTo === card.messageId && text.includes(oldest.slice(-8)),
    );
    const statuses = await Promise.all(ids.map(async (id) => (await stage.api.get(id)).body.status));
    expect(new Set(statuses)).toEqual(new Set(['pending']));
  });
});
