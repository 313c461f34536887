import { DecideTurnCommand } from '../../src/approvals/commands/decide-turn';
import type { Person } from '../../src/kernel/actor';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api, type ApprovalJson } from '../support/api';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { buttonsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { injectTap, newTapId } from '../support/injected-tap';
import { until } from '../support/until';
import { OPERATOR_ID, OPERATOR_KEY, STRANGER_ID } from '../support/well-known';

const PAUL = 3;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${PAUL}:Paul` });
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.wipe();
  await newSession();
});

let session = 0;
/** The last message of an earlier session. */
let lastMessage = 0;

async function newSession(): Promise<void> {
  session += 1;
  lastMessage = (await rig.chat.messages()).at(-1)?.messageId ?? 0;
}

const command = (text: string, more: Record<string, unknown> = {}) => ({
  toolInput: { command: text },
  cwd: '/srv/shop',
  sessionId: `session-${session}`,
  ...more,
});

/** Requests of one session that arrive together. */
const askTogether = (...commands: readonly string[]): Promise<ApprovalJson[]> =>
  Promise.all(commands.map((text) => rig.asked(command(text))));

/** Waits for a summary, by the number of calls that its buttons decide about. */
const summary = (calls: number, { messageId }: Partial<ChatMessage> = {}): Promise<ChatMessage> =>
  rig.chat.find(
    `a summary of ${calls} calls`,
    (message) =>
      buttonsOf(message).includes(`✅ Approve all ${calls}`) &&
      message.messageId > lastMessage &&
      (messageId === undefined || message.messageId === messageId),
  );

const statusesOf = (asked: readonly ApprovalJson[]): Promise<string[]> =>
  Promise.all(asked.map((approval) => rig.statusOf(approval)));

const cardOf = async ({ id }: ApprovalJson): Promise<ChatMessage> => rig.chat.card(id);

const decisionsOf = ({ id }: ApprovalJson) =>
  rig.database.query<{ by_id: string; verdict: string; display_digest: string }>(
    'select by_id, verdict, display_digest from decisions where approval_id = $1',
    [id],
  );

/** A tap of a client that shows an older version of the message, or made the data. @returns the answer */
async function inject(
  data: string,
  messageId: number,
  buttons: ChatMessage['buttons'] = [],
): Promise<string> {
  const id = newTapId();
  await injectTap(rig, { id, data, messageId, buttons });
  const call = await until('the tap is answered', async () =>
    (await rig.chat.calls('answerCallbackQuery')).find(({ params }) => params.callback_query_id === id),
  );
  return String(call.params.text);
}

it('summarises the calls that wait together on one message, after their cards', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  expect(message.text).toContain('3 calls wait together');
  expect(buttonsOf(message)).toEqual(['✅ Approve all 3', '❌ Reject all 3']);
  for (const each of asked) {
    expect(message.text).toContain(each.toolInput.command);
    expect((await cardOf(each)).messageId).toBeLessThan(message.messageId);
  }
});

it('decides all by one tap: a decision, a receipt and an audit row for each, and the agents go on', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  const waiting = asked.map(({ id }) => rig.api.get(id, 50));
  const answer = await rig.chat.press(message.messageId, 'Approve all 3');
  expect(answer).toEqual({ text: '✅ 3 approved by you. The agent goes on.', showAlert: false });
  const { body: keys } = await rig.api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
  const turns = new Set<string>();
  for (const { body: approval } of await Promise.all(waiting)) {
    expect(approval).toMatchObject({ status: 'approved', decision: { by: { name: 'Olivia' } } });
    const [{ display_digest: shown } = { display_digest: '' }, ...others] = await decisionsOf(approval);
    expect(others).toEqual([]);
    const { displayDigest } = await readReceipt(approval.receipt as string, keys);
    expect(displayDigest).toBe(shown);
    const audited = await rig.database.query<{ data: string }>(
      `select data from audit_log where approval_id = $1 and type = 'approval.approved'`,
      [approval.id],
    );
    expect(audited).toHaveLength(1);
    const { turn } = JSON.parse(audited[0]?.data ?? '') as { turn: { digest: string; calls: number } };
    expect(turn.calls).toBe(3);
    turns.add(turn.digest);
  }
  expect(turns.size).toBe(1);
  expect((await rig.closed(message)).text).toContain('nothing waits any more');
  for (const each of asked) await rig.closed((await rig.chat.cardsOf(each.id))[0] as ChatMessage);
  expect(await rig.chat.press(message.messageId, 'Approve').catch(String)).toContain('no button');
});

it('rejects all by one tap, and a reply to the summary is the reason for each', async () => {
  const asked = await askTogether('rm -rf build', 'rm -rf dist');
  const message = await summary(2);
  const answer = await rig.chat.press(message.messageId, 'Reject all 2');
  expect(answer?.text).toContain('2 rejected by you');
  expect(await statusesOf(asked)).toEqual(['rejected', 'rejected']);
  await rig.chat.say('use npm run clean', { replyTo: message.messageId });
  await until('both have the reason', async () => {
    const found = await Promise.all(asked.map(({ id }) => rig.api.get(id)));
    return found.every(({ body }) => body.decision?.reason === 'use npm run clean');
  });
  for (const each of asked)
    await rig.chat.find(
      'the reason on the card',
      ({ text }) => text.includes('use npm run clean') && text.includes(each.toolInput.command as string),
    );
});

it('leaves out a call that was decided alone: the message is edited, and its buttons decide about the rest', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  const [alone, ...rest] = asked as [ApprovalJson, ApprovalJson, ApprovalJson];
  await rig.chat.press((await cardOf(alone)).messageId, 'Reject', PAUL);
  const edited = await summary(2, message);
  expect(edited.text).toMatch(/\d\. ❌ .*: rejected by Paul/);
  await rig.chat.press(edited.messageId, 'Approve all 2');
  expect(await statusesOf(rest)).toEqual(['approved', 'approved']);
  expect(await rig.statusOf(alone)).toBe('rejected');
});

it('has no buttons for the last call that waits', async () => {
  const asked = await askTogether('npm run test', 'npm run lint');
  const message = await summary(2);
  await rig.chat.press((await cardOf(asked[0] as ApprovalJson)).messageId, 'Approve');
  expect((await rig.closed(message)).text).toContain('decide it on its card');
  await rig.chat.press((await cardOf(asked[1] as ApprovalJson)).messageId, 'Approve');
  await rig.chat.find('the end of the turn', ({ text }) => text.includes('nothing waits any more'));
});

it('decides nothing by the buttons of an older version, and says so', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  const old = message.buttons[0]?.[0]?.data ?? '';
  await rig.chat.press((await cardOf(asked[0] as ApprovalJson)).messageId, 'Approve');
  const edited = await summary(2, message);
  expect(await inject(old, message.messageId, edited.buttons)).toContain('this message has changed');
  expect(await statusesOf(asked.slice(1))).toEqual(['pending', 'pending']);
  const refused = await rig.database.query(
    `select 1 from audit_log where type = 'telegram.tap-refused' and data::jsonb ->> 'result' = 'turn-outdated'`,
  );
  expect(refused).toHaveLength(1);
});

it('decides nothing if a card shows something else by now', async () => {
  const asked = await askTogether('npm run test', 'npm run lint');
  const message = await summary(2);
  const another = `sha256:${'0'.repeat(64)}`;
  await rig.database.query('update cards set display_digest = $2 where approval_id = $1', [
    asked[0]?.id,
    another,
  ]);
  expect((await rig.chat.press(message.messageId, 'Approve all'))?.text).toContain('has changed');
  expect(await statusesOf(asked)).toEqual(['pending', 'pending']);
});

it('decides the rest when one has expired, and says that', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  await rig.database.query(`update approvals set expires_at = now() - interval '1 ms' where id = $1`, [
    asked[1]?.id,
  ]);
  const answer = await rig.chat.press(message.messageId, 'Approve all');
  expect(answer?.text).toContain('2 approved by you. Not 1 of them');
  expect((await statusesOf(asked)).toSorted()).toEqual(['approved', 'approved', 'expired']);
});

it('covers no later call of the session', async () => {
  const asked = await askTogether('npm run test', 'npm run lint');
  const message = await summary(2);
  const late = await rig.shown(command('npm run deploy'));
  await rig.chat.press(message.messageId, 'Approve all 2');
  expect(await statusesOf(asked)).toEqual(['approved', 'approved']);
  expect(await rig.statusOf(late.approval)).toBe('pending');
  expect((await rig.closed(message)).text).not.toContain('npm run deploy');
});

it.each([
  ['of another session', { sessionId: 'another' }],
  ['that is a question', { toolName: 'AskUserQuestion', toolInput: { questions: [] } }],
])('leaves a call %s to its own card', async (_, more) => {
  const [asked, other] = await Promise.all([
    askTogether('npm run test', 'npm run lint'),
    rig.asked(command('npm run other', more)),
  ]);
  const message = await summary(2);
  await rig.chat.press(message.messageId, 'Approve all');
  expect(await statusesOf(asked)).toEqual(['approved', 'approved']);
  expect(await rig.statusOf(other)).toBe('pending');
});

it('leaves a call of another key to its own card, although its session has the same name', async () => {
  const agent = await issueKey(rig.database, 'agent', `other-${session}`);
  await keyIs(true, rig.app.url, agent);
  const other = new Api(rig.app.url, { agent, operator: OPERATOR_KEY });
  const [asked, foreign] = await Promise.all([
    askTogether('npm run test', 'npm run lint'),
    other.enqueue(command('npm run other')),
  ]);
  const message = await summary(2);
  await rig.chat.press(message.messageId, 'Approve all');
  expect(await statusesOf(asked)).toEqual(['approved', 'approved']);
  expect((await other.get(foreign.body.id)).body.status).toBe('pending');
});

it('costs no message where nothing can be decided together any more', async () => {
  const [first, second] = await askTogether('npm run test', 'npm run lint');
  await rig.api.decide(first?.id ?? '', 'approved');
  await rig.worked();
  const messages = (await rig.chat.messages()).filter(({ messageId }) => messageId > lastMessage);
  expect(messages.filter(({ text }) => text.includes('together'))).toEqual([]);
  expect(await rig.statusOf(second as ApprovalJson)).toBe('pending');
});

it('takes no tap of a stranger, and no button from another message', async () => {
  const asked = await askTogether('npm run test', 'npm run lint');
  const message = await summary(2);
  const data = message.buttons[0]?.[0]?.data ?? '';
  const stranger = await rig.chat.press(message.messageId, 'Approve all', STRANGER_ID);
  expect(stranger?.text).toContain('not an operator');
  const card = await cardOf(asked[0] as ApprovalJson);
  expect(await inject(data, card.messageId, card.buttons)).toContain('not valid');
  expect(
    await inject(
      data.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      message.messageId,
    ),
  ).toContain('has changed');
  expect(await statusesOf(asked)).toEqual(['pending', 'pending']);
});

it('sends a summary whose answer was lost once more, and a tap on either copy counts', async () => {
  const asked = await askTogether('npm run test', 'npm run lint');
  await Promise.all(asked.map(cardOf));
  await rig.chat.fault({ method: 'sendMessage', count: 1, reset: 'after' });
  const first = await summary(2);
  const second = await rig.chat.find(
    'the second copy',
    ({ messageId, text }) => messageId > first.messageId && text.includes('wait together'),
    20_000,
  );
  await rig.chat.press(first.messageId, 'Approve all');
  expect(await statusesOf(asked)).toEqual(['approved', 'approved']);
  await rig.closed(first);
  expect((await rig.chat.press(second.messageId, 'Approve all'))?.text).toContain('Nothing was decided');
  await rig.closed(second);
});

it('gives each call one decision when it is tapped alone and with all at the same time', async () => {
  const asked = await askTogether('npm run test', 'npm run lint', 'git status');
  const message = await summary(3);
  const cards = await Promise.all(asked.map(cardOf));
  await Promise.all([
    rig.chat.press(message.messageId, 'Approve all'),
    ...cards.map(({ messageId }) => rig.chat.press(messageId, 'Reject', PAUL)),
  ]);
  const { body: keys } = await rig.api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
  for (const { id } of asked) {
    const { body } = await rig.api.get(id);
    const decisions = await decisionsOf(body);
    expect(decisions).toMatchObject([{ by_id: body.decision?.by.id, verdict: body.status }]);
    const receipt = await readReceipt(body.receipt as string, keys);
    expect(receipt).toMatchObject({ status: body.status, decidedBy: { id: body.decision?.by.id } });
  }
  expect((await rig.closed(message)).text).toContain('nothing waits any more');
});

describe('on three replicas', () => {
  const olivia: Person = { kind: 'person', channel: 'telegram', id: String(OPERATOR_ID), name: 'Olivia' };
  const paul: Person = { kind: 'person', channel: 'telegram', id: String(PAUL), name: 'Paul' };
  let replicas: OpenApp[];
  beforeAll(async () => {
    replicas = await Promise.all([1, 2, 3].map(() => openTestApp(rig.database.url, { ...rig.environment })));
  });
  afterAll(() => Promise.all(replicas.map((replica) => replica.close())));

  it('settles each call once, however many decide about overlapping turns at one time', async () => {
    for (let round = 0; round < 5; round++) {
      await newSession();
      const asked = await askTogether('a', 'b', 'c', 'd');
      await summary(4);
      const calls = await rig.database.query<{ id: string; displayDigest: string }>(
        `select approval_id as id, display_digest as "displayDigest" from cards where approval_id = any($1::uuid[])`,
        [asked.map(({ id }) => id)],
      );
      const results = await Promise.all(
        replicas.flatMap(({ commands }, nth) => [
          commands.execute(new DecideTurnCommand(calls.slice(nth % 2), olivia, 'approved')),
          commands.execute(new DecideTurnCommand(calls.toReversed().slice(1), paul, 'rejected')),
        ]),
      );
      expect(results.flatMap(({ decided }) => decided).length).toBeGreaterThanOrEqual(4);
      for (const { id } of asked) {
        const { body } = await rig.api.get(id);
        expect(['approved', 'rejected']).toContain(body.status);
        expect(await decisionsOf(body)).toMatchObject([
          { by_id: body.decision?.by.id, verdict: body.status },
        ]);
        const audited = await rig.database.query(
          `select 1 from audit_log where approval_id = $1 and type in ('approval.approved', 'approval.rejected')`,
          [id],
        );
        expect(audited).toHaveLength(1);
      }
      await rig.worked();
    }
  });

  it('sends one summary for a turn whose cards they all send', async () => {
    const asked = await askTogether('a', 'b', 'c', 'd', 'e', 'f');
    const message = await summary(6);
    await rig.worked();
    const summaries = (await rig.chat.messages()).filter(({ text }) =>
      text.includes('6 calls wait together'),
    );
    expect(summaries).toHaveLength(1);
    await rig.chat.press(message.messageId, 'Approve all 6');
    expect(new Set(await statusesOf(asked))).toEqual(new Set(['approved']));
  });
});
