import { ALWAYS, TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const FLOOR_MS = 1_000;
/** A timer and the sandbox's clock may differ by a moment. */
const TOLERANCE_MS = 50;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

/** Above any id of the sandbox, which begins with a random one. */
const MADE_UP_IDS = 1_500_000_000;

/** A tap of the operator's, as getUpdates delivers it. */
let updateId = MADE_UP_IDS;
const tap = (data: string, messageId: number) => ({
  update_id: ++updateId,
  callback_query: {
    id: `q${updateId}`,
    from: { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
    message: { message_id: messageId, chat: { id: Number(CHAT_ID), type: 'supergroup' }, date: 0, text: '' },
    chat_instance: '1',
    data,
  },
});

/** Ends the poll that waits, so that the next one meets the fault. */
const pollAgain = (): Promise<number> => rig.chat.say('hello', { user: 2 });

const polls = () => rig.chat.calls('getUpdates');

const metric = async (line: RegExp): Promise<number> =>
  Number(line.exec(await (await fetch(`${rig.app.url}/metrics`)).text())?.[1] ?? 0);

describe('a send that is answered with nonsense', () => {
  it.each([{ ok: true }, { ok: true, result: { message_id: 'five' } }, null])(
    'is of unknown outcome: the card is resent once and then given up: %j',
    async (answer) => {
      await rig.chat.fault({ method: 'sendMessage', answer, happens: true, count: ALWAYS });
      const approval = await rig.asked();
      await rig.dead(approval);
      expect(await rig.chat.cardsOf(approval.id)).toHaveLength(2);
      expect(rig.events('escalation.failed')).toEqual([]);
      expect(rig.events('telegram.bad-answer').length).toBeGreaterThan(0);
      await rig.chat.clearFaults();
      // The next card has nothing to do with it.
      await rig.shown();
    },
  );

  it('is read up to a bound and no further', async () => {
    await rig.chat.fault({ method: 'sendMessage', body: 'huge', count: ALWAYS });
    const approval = await rig.asked();
    await rig.dead(approval);
    expect((await rig.outboxOf(approval))[0]?.last_error).toContain('no answer came');
    expect(rig.events('telegram.bad-answer').at(-1)?.error).toMatch(/more than \d+ bytes/);
  });
});

it.each([{ ok: true }, { ok: true, result: 'edited' }])(
  'an edit that is answered with %j is repeated with growing waits, and not each second',
  async (answer) => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'editMessageText', answer, count: 4 });
    await rig.api.decide(approval.id, 'approved');
    await rig.closed(card);
    await rig.worked(approval);
    expect(await rig.calls('editMessageText')).toHaveLength(5);
    expect(rig.events('escalation.failed')).toEqual([]);
  },
);

describe('a 429', () => {
  it.each([{ retry_after: 'abc' }, { retry_after: -5 }, 'soon', null])(
    'with parameters %j is repeated after our own backoff',
    async (parameters) => {
      const answer = { ok: false, error_code: 429, description: 'Too Many Requests', parameters };
      await rig.chat.fault({ method: 'sendMessage', status: 429, answer });
      const { approval } = await rig.shown();
      expect((await rig.calls('sendMessage')).map(({ status }) => status)).toEqual([429, 200]);
      expect(await rig.chat.cardsOf(approval.id)).toHaveLength(1);
    },
  );

  it('with a retry_after beyond belief pauses the chat for hours and not for ever, and says so', async () => {
    const answer = {
      ok: false,
      error_code: 429,
      description: 'Too Many Requests',
      parameters: { retry_after: 1e30 },
    };
    await rig.chat.fault({ method: 'sendMessage', status: 429, answer });
    const approval = await rig.asked();
    const [lane] = await until('the lane pauses', async () => {
      const rows = await rig.database.query<{ seconds: number }>(
        `select extract(epoch from available_at - now())::float8 as seconds from lanes where chat_id = $1`,
        [CHAT_ID],
      );
      return rows.length > 0 && rows;
    });
    expect(lane?.seconds).toBeGreaterThan(3600);
    expect(lane?.seconds).toBeLessThanOrEqual(24 * 3600);
    expect(await rig.outboxOf(approval)).toMatchObject([{ dead: false }]);
    await until('the outbox tells', async () =>
      (await rig.outboxOf(approval))[0]?.last_error?.includes('longest wait that is believed'),
    );
  });
});

describe('getUpdates', () => {
  // An offset behind made-up ids would confirm the sandbox's own updates unread. The next real answer takes it back.
  beforeEach(() =>
    until('the poller asks from an id of the sandbox', async () => {
      await pollAgain();
      return Number((await polls()).at(-1)?.params.offset ?? Infinity) < MADE_UP_IDS;
    }),
  );

  it.each([null, {}, { update_id: 1e30 }])(
    'with %j among the updates delivers the others, and the offset moves on',
    async (rubbish) => {
      const { approval, card } = await rig.shown();
      const update = tap(card.buttons.flat()[0]?.data ?? '', card.messageId);
      const skipped = await metric(/^telegram_updates_skipped_total (\d+)$/m);
      await rig.chat.fault({ method: 'getUpdates', answer: { ok: true, result: [rubbish, update, null] } });
      await pollAgain();
      await until('the tap counts', async () => (await rig.statusOf(approval)) === 'approved');
      await until('it is confirmed', async () =>
        (await polls()).some(({ params }) => params.offset === update.update_id + 1),
      );
      expect(rig.events('telegram.update-unreadable').length).toBeGreaterThan(0);
      expect(await metric(/^telegram_updates_skipped_total (\d+)$/m)).toBe(skipped + 2);
    },
  );

  it.each([
    { callback_query: { id: 9 } },
    { message: { message_id: 1, chat: null, from: { id: OPERATOR_ID } } },
  ])('with the update %j skips it by its id', async (more) => {
    const update_id = ++updateId;
    await rig.chat.fault({ method: 'getUpdates', answer: { ok: true, result: [{ update_id, ...more }] } });
    await pollAgain();
    await until('it is confirmed', async () =>
      (await polls()).some(({ params }) => params.offset === update_id + 1),
    );
  });

  it.each([
    { what: 'nothing, at once', answer: { ok: true, result: [] } },
    {
      what: 'the same update, over and over',
      answer: { ok: true, result: [{ update_id: MADE_UP_IDS, something_new: {} }] },
    },
  ])('that answers $what is asked once a second', async ({ answer }) => {
    const before = (await polls()).length;
    await rig.chat.fault({ method: 'getUpdates', answer, count: ALWAYS });
    await pollAgain();
    const asked = await until('it was asked five times', async () => {
      const faulty = (await polls()).slice(before);
      return faulty.length > 5 && faulty;
    });
    // The first two may be the new answer and the first that brought nothing new.
    for (const [index, { atMs }] of asked.slice(2).entries())
      expect(atMs - (asked[index + 1]?.atMs ?? NaN)).toBeGreaterThanOrEqual(FLOOR_MS - TOLERANCE_MS);
  });

  it.each([{ ok: true }, { ok: true, result: [null] }])(
    'that answers %j degrades health until it is well again, and is asked with growing waits',
    async (answer) => {
      await rig.chat.fault({ method: 'getUpdates', answer, count: 4 });
      await pollAgain();
      await until('health tells', async () => {
        const { body } = await rig.api.call<{ details: { telegram: { reason?: string } } }>(
          null,
          'GET',
          '/health',
        );
        return body.details.telegram.reason?.includes('polling: getUpdates');
      });
      const { approval, card } = await rig.shown();
      await rig.chat.press(card.messageId, 'Approve');
      await until('the tap counts', async () => (await rig.statusOf(approval)) === 'approved');
    },
  );

  it('whose answer is too long is asked for one update at a time', async () => {
    await rig.chat.fault({ method: 'getUpdates', body: 'huge' });
    await pollAgain();
    const before = (await polls()).length;
    await until('the next poll waits', async () => (await polls()).length > before);
    await pollAgain();
    await until('it asked for one', async () => (await polls()).some(({ params }) => params.limit === 1));
    const { approval, card } = await rig.shown();
    await rig.chat.press(card.messageId, 'Approve');
    await until('the tap counts', async () => (await rig.statusOf(approval)) === 'approved');
  });
});
