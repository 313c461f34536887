import { createHash } from 'node:crypto';
import { MAX_PIECES } from '../../src/cards/action-pieces';
import { shortId } from '../../src/cards/short-id';
import type { KeySet } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import type { ApprovalJson } from '../support/api';
import { startTestApp } from '../support/app';
import { buttonsOf, SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { ALWAYS, TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const FORUM = -1_001_234_567_890;
const TOPIC = 17;
/** As Telegram shows the General topic, which is the chat itself. */
const GENERAL = 1;
const CHAT = Number(CHAT_ID);

const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex');
const bash = (command: string) => ({ toolInput: { command } });
/** In a session of its own: the next cards of a session tell of its last requests. */
const odd = (number = 0) => ({ ...bash(`echo odd ${number}`), sessionId: 'odd' });

interface Health {
  readonly details: { readonly telegram: { readonly degraded?: boolean; readonly reason?: string } };
}

let rig: TelegramRig;
afterEach(() => rig.close());

const healthReason = async (): Promise<string | undefined> =>
  (await rig.api.call<Health>(null, 'GET', '/health')).body.details.telegram.reason;

/** Waits are over: what is refused is tried again now. */
const hurryUp = (): Promise<unknown> =>
  rig.database.query(
    `with lane as (update outbox_lanes set available_at = now())
     update outbox set available_at = now() where last_error is not null`,
  );

describe('a chat or topic that refuses messages for a while', () => {
  beforeEach(async () => {
    rig = await TelegramRig.start({ TELEGRAM_CHAT_ID: `${FORUM}` });
    await rig.chat.change('chats', { chat: FORUM, forum: true });
  });

  it.each([
    { status: 400, description: 'Bad Request: TOPIC_CLOSED' },
    { status: 400, description: 'Bad Request: message thread not found' },
    { status: 400, description: 'Bad Request: need administrator rights in the channel chat' },
    { status: 403, description: 'Forbidden: bot was kicked from the supergroup chat' },
  ])('$description: pauses alone, shows in health, and the card comes when it is over', async (refusal) => {
    await rig.chat.fault({ method: 'sendMessage', ...refusal, count: ALWAYS });
    const approval = await rig.asked();
    const chat = new SandboxClient(rig.sandbox.url, FORUM);
    await until('it was tried again', async () => {
      await hurryUp();
      return (await rig.calls('sendMessage', FORUM)).length >= 3;
    });
    expect(await healthReason()).toContain(refusal.description);
    expect(await rig.outboxOf(approval)).toMatchObject([{ kind: 'card', dead: false }]);
    await rig.chat.clearFaults();
    await chat.card(approval.id);
    await until('health is well, or watched', async () =>
      /^works again|^$/.test((await healthReason()) ?? ''),
    );
  });

  it('a closed General topic is one, and is found open again even when nothing is left to send', async () => {
    await rig.chat.change('chats', { chat: FORUM, closeTopic: GENERAL });
    const approval = await rig.asked();
    await until('health tells', async () => /TOPIC_CLOSED/.test((await healthReason()) ?? ''));
    await rig.chat.change('chats', { chat: FORUM, reopenTopic: GENERAL });
    await hurryUp();
    await new SandboxClient(rig.sandbox.url, FORUM).card(approval.id);
  });
});

describe('a message that is refused while others are taken', () => {
  beforeEach(async () => {
    rig = await TelegramRig.start();
  });

  it('holds up none of them, is tried less and less often, and comes in the end', async () => {
    const refusal = { status: 400, description: 'Bad Request: SOMETHING_ABOUT_THIS_ONE' };
    await rig.chat.fault({ method: 'sendMessage', containing: 'echo odd', ...refusal, count: ALWAYS });
    const refused = await rig.asked(odd());
    const others = [await rig.asked(bash('a')), await rig.asked(bash('b')), await rig.asked(bash('c'))];
    for (const { id } of others) await rig.chat.card(id);
    const waits: number[] = [];
    for (let round = 0; round < 6; round++) {
      await rig.shown();
      waits.push(
        await until('it was refused again', async () => {
          const [row] = await rig.database.query<{ seconds: number }>(
            `select extract(epoch from available_at - now())::float8 as seconds from outbox
             where approval_id = $1 and attempts > $2 and available_at > now() and last_error is not null`,
            [refused.id, round],
          );
          return row?.seconds;
        }),
      );
      await rig.shown();
      await rig.database.query(`update outbox set available_at = now() where approval_id = $1`, [refused.id]);
    }
    expect(waits.at(-1)).toBeGreaterThan(10);
    expect(await rig.outboxOf(refused)).toMatchObject([{ dead: false }]);
    await rig.chat.clearFaults();
    await rig.database.query(`update outbox set available_at = now() where approval_id = $1`, [refused.id]);
    await rig.chat.card(refused.id);
  });

  it('and is given up, comes when an operator asks for it in /pending', async () => {
    await rig.chat.fault({
      method: 'sendMessage',
      status: 400,
      description: 'Bad Request: message is too long',
    });
    const approval = await rig.asked();
    await until('it is dead', async () => (await rig.outboxOf(approval))[0]?.dead);
    const question = await rig.chat.say('/pending');
    const list = await rig.chat.find('the list', ({ replyTo }) => replyTo === question);
    await rig.chat.press(list.messageId, shortId(approval.id));
    const card = await rig.chat.card(approval.id);
    await rig.chat.press(card.messageId, 'Approve');
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});

describe('a message or a chat that Telegram fails for while it answers', () => {
  const failure = { status: 500, description: 'Internal Server Error', count: ALWAYS };

  it('holds up no other message, opens no circuit again, and comes when that is over', async () => {
    rig = await TelegramRig.start();
    await rig.chat.fault({ method: 'sendMessage', containing: 'echo odd', ...failure });
    const refused = await rig.asked(odd());
    await until('it failed', async () => (await rig.outboxOf(refused))[0]?.last_error);
    const others = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((command) => rig.asked(bash(command))));
    for (const { id } of others) await rig.chat.card(id);
    const attempts = async () => (await rig.outboxOf(refused))[0]?.attempts ?? 0;
    await until('it failed again and again', async () => {
      await hurryUp();
      return (await attempts()) > 5;
    });
    expect((await rig.breaker()).state).toBe('closed');
    expect(await rig.outboxOf(refused)).toMatchObject([{ kind: 'card', dead: false }]);
    await rig.chat.clearFaults();
    // An attempt that was under way may still fail, and waits then.
    await until('it came', async () => {
      await hurryUp();
      return (await rig.chat.cardsOf(refused.id)).length > 0;
    });
    await rig.chat.card(refused.id);
  });

  it('holds up no other message, however many fail', async () => {
    rig = await TelegramRig.start();
    await rig.chat.fault({ method: 'sendMessage', containing: 'echo odd', ...failure });
    for (const number of [1, 2, 3, 4]) await rig.asked(odd(number));
    const { id } = await rig.asked(bash('echo even'));
    await until('the other one came', async () => {
      await hurryUp();
      return (await rig.chat.cardsOf(id)).length > 0;
    });
  });

  it('as a chat of an earlier configuration, holds up none of the chat of now', async () => {
    rig = await TelegramRig.start();
    const earlier = await Promise.all(['a', 'b', 'c'].map((command) => rig.shown(bash(command))));
    await rig.restart({ TELEGRAM_CHAT_ID: `${FORUM}` });
    await rig.chat.fault({ method: 'editMessageText', chat: CHAT, ...failure });
    for (const { approval } of earlier) await rig.api.decide(approval.id, 'approved');
    await until('an edit failed', async () => (await rig.calls('editMessageText')).length > 0);
    const chat = new SandboxClient(rig.sandbox.url, FORUM);
    for (const command of ['d', 'e', 'f']) {
      const { id } = await rig.asked(bash(command));
      const { messageId } = await chat.card(id);
      await chat.press(messageId, 'Approve');
      await chat.find(
        'the outcome',
        (shown) => shown.messageId === messageId && buttonsOf(shown).length === 0,
      );
    }
    await rig.chat.clearFaults();
    for (const { card } of earlier) {
      await hurryUp();
      await rig.closed(card);
    }
  });
});

describe('a chat that takes no files', () => {
  const long = Array.from({ length: 400 }, (_, n) => `line ${n} of what is written`).join('\n');
  const write = { toolName: 'Write', toolInput: { file_path: '/srv/notes', content: long } };

  beforeEach(async () => {
    rig = await TelegramRig.start();
    await rig.chat.change('chats', { chat: CHAT, documents: false });
  });

  const piecesOf = async ({ id }: Pick<ApprovalJson, 'id'>): Promise<ChatMessage[]> =>
    (await rig.chat.messages()).filter(({ text }) =>
      text.startsWith(`📄 Everything that request ${shortId(id)}`),
    );

  /** The action as an operator reads it: from the messages and nothing else. */
  const readFrom = (pieces: readonly ChatMessage[]): string =>
    pieces
      .map(({ text }) => text.split('\n').slice(1, -1).join('\n'))
      .reduce((whole, piece) => whole + (piece.startsWith('…') ? piece.slice(1) : `\n${piece}`));

  it('gets the action as text messages, complete and before Approve, and other cards wait for nothing', async () => {
    const approval = await rig.asked(write);
    const others = [await rig.asked(bash('a')), await rig.asked(bash('b')), await rig.asked(bash('c'))];
    for (const { id } of others) await rig.chat.card(id);
    const card = await rig.chat.card(approval.id);
    await rig.worked(approval);
    const pieces = await piecesOf(approval);
    expect(pieces.length).toBeGreaterThan(2);
    for (const { messageId } of pieces) expect(messageId).toBeLessThan(card.messageId);
    const marked = long.replaceAll('\n', '\n  │ ');
    expect(readFrom(pieces).includes(marked)).toBe(true);
    expect(card.text).toContain(`Complete in the ${pieces.length} messages`);

    await rig.chat.press(card.messageId, 'Approve');
    const { body } = await rig.api.get(approval.id);
    const keys = (await rig.api.call<KeySet>(null, 'GET', '/.well-known/jwks.json')).body;
    const { displayDigest } = await readReceipt(body.receipt as string, keys);
    const whole = sha256(pieces.map(({ text }) => text).join('\n'));
    expect(displayDigest).toBe(`sha256:${sha256(`${card.text}\n${whole}`)}`);
    const closed = await rig.closed(card);
    expect(closed.text).toContain(whole);
  });

  it('gets one very long line too, and nothing of it reads as a line of ours', async () => {
    const command = `echo ${'x'.repeat(3700)}\u{1f600}${'Directory: /safe '.repeat(700)}end`;
    const approval = await rig.asked(bash(command));
    await rig.chat.card(approval.id);
    const pieces = await piecesOf(approval);
    expect(readFrom(pieces).includes(command)).toBe(true);
    for (const { text } of pieces.slice(1)) expect(text.split('\n')[1]).toMatch(/^…/);
  });

  it.each([
    { fault: { reset: 'after' }, copies: 2 },
    { fault: { status: 500 }, copies: 1 },
  ])(
    'a message of it that meets $fault is in the chat $copies times, and all others once',
    async ({ fault, copies }) => {
      await rig.chat.fault({ method: 'sendMessage', containing: 'message 2 of', ...fault });
      const approval = await rig.asked(write);
      await rig.chat.card(approval.id);
      const pieces = await piecesOf(approval);
      const times = (number: number): number =>
        pieces.filter(({ text }) => text.includes(`message ${number} of`)).length;
      expect([times(1), times(2), times(3)]).toEqual([1, copies, 1]);
    },
  );

  it('a message of it is not sent a second time when the service is started anew, and not a third time ever', async () => {
    await rig.chat.fault({
      method: 'sendMessage',
      containing: 'message 2 of',
      reset: 'after',
      count: ALWAYS,
    });
    const approval = await rig.asked(write);
    await until('the first is there', async () => (await piecesOf(approval)).length > 0);
    await rig.restart();
    await rig.dead(approval);
    const pieces = await piecesOf(approval);
    expect(pieces.filter(({ text }) => text.includes('message 1 of'))).toHaveLength(1);
    expect(pieces.filter(({ text }) => text.includes('message 2 of'))).toHaveLength(2);
    for (const card of await rig.chat.cardsOf(approval.id))
      expect(buttonsOf(card).join()).not.toContain('Approve');
  });

  it('cannot approve what would take too many messages, says so, and can once files are allowed', async () => {
    const approval = await rig.asked(bash('y'.repeat(MAX_PIECES * 4096)));
    const card = await rig.chat.card(approval.id, 1);
    expect(buttonsOf(card).join()).toContain('Reject');
    expect(card.text).toMatch(/takes no files.*cannot be approved here/);
    expect(await piecesOf(approval)).toHaveLength(0);
    await rig.shown();
    expect(await rig.outboxOf(approval)).toMatchObject([{ kind: 'card', dead: false }]);
    await rig.chat.change('chats', { chat: CHAT, documents: true });
    await hurryUp();
    expect((await rig.chat.card(approval.id)).messageId).toBe(card.messageId);
  });
});

describe('a topic of a forum', () => {
  let chat: SandboxClient;

  beforeEach(async () => {
    rig = await TelegramRig.start({ TELEGRAM_CHAT_ID: `${FORUM}/${TOPIC}`, APPROVAL_WARNING_MINUTES: '1' });
    await rig.chat.change('chats', { chat: FORUM, forum: true });
    chat = new SandboxClient(rig.sandbox.url, FORUM);
  });

  const topicsOf = async (): Promise<unknown[]> => {
    const sent = [...(await rig.calls('sendMessage', FORUM)), ...(await rig.calls('sendDocument', FORUM))];
    return sent.map(({ params }) => Number(params.message_thread_id));
  };

  it('gets cards, documents, warnings and notices, though General is closed; taps, reasons and commands work there', async () => {
    await rig.chat.change('chats', { chat: FORUM, closeTopic: GENERAL });
    const approval = await rig.asked({ ...bash('z'.repeat(9000)), timeoutSeconds: 120 });
    const card = await chat.card(approval.id);
    await rig.worked(approval);
    await rig.database.query(`update outbox set available_at = now() where kind = 'warning'`);
    await chat.find('the warning', ({ replyTo }) => replyTo === card.messageId);
    await rig.database.query(
      `insert into outbox (kind, chat_id, thread_id, urgency, created_at, available_at, data)
       values ('notice', $1, $2, -1, now(), now(), '{"fromMs":0,"toMs":1}')`,
      [FORUM, TOPIC],
    );
    await chat.find('the notice', ({ text }) => text.includes('out of reach'));
    const question = await chat.say('/status', { threadId: TOPIC });
    await chat.find('the answer', ({ replyTo }) => replyTo === question);
    expect(new Set(await topicsOf())).toEqual(new Set([TOPIC]));
    expect((await rig.chat.calls('sendDocument')).length).toBe(1);

    await chat.press(card.messageId, 'Reject');
    await chat.say('not today', { replyTo: card.messageId, threadId: TOPIC });
    await until('the reason is there', async () =>
      (await chat.message(card.messageId)).text.includes('not today'),
    );
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('is answered where it was asked: a command in another topic, or in none', async () => {
    for (const threadId of [5, undefined]) {
      const question = await chat.say('/help', threadId === undefined ? {} : { threadId });
      await chat.find('the answer', ({ replyTo }) => replyTo === question);
    }
    expect((await rig.calls('sendMessage', FORUM)).map(({ params }) => params.message_thread_id)).toEqual([
      5,
      undefined,
    ]);
  });

  it('that is closed holds up no other, shows in health, and gets its cards when it is open again', async () => {
    await rig.chat.change('chats', { chat: FORUM, closeTopic: TOPIC });
    const approval = await rig.asked();
    await until('health tells', async () => /TOPIC_CLOSED/.test((await healthReason()) ?? ''));
    await rig.database.query(
      `insert into outbox (kind, chat_id, thread_id, urgency, created_at, available_at, data)
       values ('notice', $1, 0, -1, now(), now(), '{"fromMs":0,"toMs":1}')`,
      [FORUM],
    );
    await chat.find('the notice in General', ({ text }) => text.includes('out of reach'));
    expect(await chat.cardsOf(approval.id)).toEqual([]);
    await rig.chat.change('chats', { chat: FORUM, reopenTopic: TOPIC });
    await hurryUp();
    await chat.card(approval.id);
  });
});

describe('a group that became a supergroup', () => {
  const NEW_CHAT = -1_001_999_999_999;
  let chat: SandboxClient;

  beforeEach(async () => {
    rig = await TelegramRig.start();
    chat = new SandboxClient(rig.sandbox.url, NEW_CHAT);
  });

  const decides = async (approval: ApprovalJson): Promise<void> => {
    const card = await chat.card(approval.id);
    await chat.press(card.messageId, 'Approve');
    await until('it is decided', async () => (await rig.statusOf(approval)) === 'approved');
    await chat.card(approval.id, 0);
  };

  it.each(['before', 'after'])(
    'and is said to be deleted: the update that comes %s the refusal is followed, also after a restart',
    async (when) => {
      const { approval: open } = await rig.shown();
      const refused = async (): Promise<void> => {
        await until('it was refused', async () =>
          (await rig.calls('sendMessage')).some(({ status }) => status === 403),
        );
      };
      if (when === 'after') await rig.chat.change('chats', { chat: CHAT, deleted: true });
      const next = await rig.asked();
      if (when === 'after') await refused();
      await rig.chat.change('chats', { chat: CHAT, deleted: true, migrateTo: NEW_CHAT });
      await decides(next);
      await decides(open);
      await rig.worked();
      expect(rig.events('escalation.chat-migrated')).toMatchObject([
        { from: CHAT_ID, to: String(NEW_CHAT), msg: expect.stringContaining('TELEGRAM_CHAT_ID') as string },
      ]);

      await rig.restart();
      const later = await rig.asked();
      await decides(later);
      await rig.worked();
      expect((await rig.chat.messages()).filter(({ text }) => text.includes(shortId(later.id)))).toEqual([]);
    },
  );

  it('is the operators’ chat for a replica too that did not see it become one', async () => {
    const other = await startTestApp(rig.database.url, rig.environment);
    try {
      await until(
        'both have introduced themselves',
        async () => (await rig.chat.calls('setMyCommands')).length === 4,
      );
      await rig.chat.change('chats', { chat: CHAT, migrateTo: NEW_CHAT });
      await until('it was followed', async () => {
        const moves = await rig.database.query('select 1 from chat_moves');
        return moves.length > 0;
      });
      const answer = async (): Promise<string> => {
        const question = await chat.say('/pending');
        return (await chat.find('the answer', ({ replyTo }) => replyTo === question)).text;
      };
      // With the second answer the move is confirmed, and comes to no other replica.
      for (let commands = 0; commands < 2; commands++)
        expect(await answer()).toMatch(/^✅ Nothing is waiting/);
      await rig.app.close();
      expect(await answer()).toMatch(/^✅ Nothing is waiting/);
    } finally {
      await other.close();
    }
  });

  it('and is none of the operators’ is not followed', async () => {
    await rig.chat.say('hello', { chat: -1005, user: OPERATOR_ID });
    await rig.chat.change('chats', { chat: -1005, migrateTo: NEW_CHAT });
    await rig.shown();
    expect(await rig.database.query('select 1 from chat_moves')).toEqual([]);
    expect(rig.events('escalation.chat-migrated')).toEqual([]);
  });
});
