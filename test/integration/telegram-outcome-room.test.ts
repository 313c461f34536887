import type { ApprovalJson } from '../support/api';
import { callHook, preToolUse } from '../support/hook-client';
import { decisionsOf, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { HandClock } from '../unit/sandbox/hand-clock';

const CALLS = 25;
/** Telegram's limit for a group, which the sandbox enforces by a clock in the test's hand. */
const MINUTE = 20;
const UNLIMITED = 1e6;
const ENFORCED = {
  perSecond: UNLIMITED,
  chatPerSecond: UNLIMITED,
  chatBurst: UNLIMITED,
  groupPerMinute: MINUTE,
};

let rig: TelegramRig;
let clock: HandClock;
beforeEach(async () => {
  clock = new HandClock();
  rig = await TelegramRig.start(
    { TELEGRAM_BUDGET_GROUP_PER_MINUTE: String(MINUTE) },
    { limits: ENFORCED, clock },
  );
});
afterEach(() => rig.close());

/** A minute passes for Telegram and for the budget. */
async function minutePasses(): Promise<void> {
  clock.advanceMs(61_000);
  await rig.database.query(
    `update send_slots set at = at - interval '61 seconds' where at <= clock_timestamp()`,
  );
}

const open = async (): Promise<ChatMessage[]> =>
  (await rig.chat.messages()).filter((message) => decisionsOf(message).length === 2);

const sent = async (): Promise<number> =>
  (await rig.chat.calls('sendMessage')).length + (await rig.chat.calls('editMessageText')).length;

/** Waits until the budget keeps everything back that waits. */
async function stalled(): Promise<void> {
  await until('all that has room is sent', async () => {
    const [row] = await rig.database.query<{ busy: boolean }>(
      `select exists (select from send_slots where at > clock_timestamp()) as busy`,
    );
    const claims = await rig.database.query(
      `select 1 from outbox where kind = 'outcome' and available_at <= now() and dead_at is null`,
    );
    return !row?.busy && claims.length === 0;
  });
}

const refused = async (): Promise<number> =>
  [...(await rig.chat.calls('sendMessage')), ...(await rig.chat.calls('editMessageText'))].filter(
    ({ status }) => status === 429,
  ).length;

it(`telegram.md 8: of ${CALLS} calls at once, each decided card loses its buttons before another minute begins`, async () => {
  const asked = await Promise.all(Array.from({ length: CALLS }, () => rig.asked()));
  // One of the half minute is the digest.
  const first = await until('half a minute of cards', async () => {
    const cards = await open();
    return cards.length === MINUTE / 2 - 1 && cards;
  });
  for (const { messageId } of first) await rig.chat.press(messageId, 'Approve');
  await until('no decided card has a button', async () => (await open()).length === 0);
  expect(await sent()).toBe(MINUTE - 1);
  expect(await refused()).toBe(0);

  // In the same way, minute by minute, until all are decided.
  for (let decided = first.length; decided < CALLS;) {
    await minutePasses();
    const next = await until('more cards', async () => {
      const cards = await open();
      return cards.length === Math.min(MINUTE / 2, CALLS - decided) && cards;
    });
    for (const { messageId } of next) await rig.chat.press(messageId, 'Reject');
    await until('no decided card has a button', async () => (await open()).length === 0);
    decided += next.length;
  }
  expect(await refused()).toBe(0);
  for (const { id } of asked) expect(['approved', 'rejected']).toContain((await rig.api.get(id)).body.status);
});

it('what was decided before its card was sent is never sent', async () => {
  const asked: ApprovalJson[] = [];
  for (let n = 0; n < CALLS; n++) asked.push(await rig.asked());
  await until('half a minute of cards', async () => (await open()).length >= MINUTE / 2 - 1);
  await stalled();
  const shown = await Promise.all(asked.map(async ({ id }) => (await rig.chat.cardsOf(id)).length > 0));
  const unsent = asked.filter((_, i) => !shown[i]);
  expect(unsent.length).toBeGreaterThan(10);
  for (const { id } of unsent.slice(1)) await rig.api.decide(id, 'rejected');
  await minutePasses();
  await rig.chat.card(unsent[0]?.id ?? '');
  await rig.worked();
  for (const { id } of unsent.slice(1)) expect(await rig.chat.cardsOf(id)).toEqual([]);
});

it('an outcome and the acknowledgement of a hook that waits are one edit', async () => {
  const held = callHook(rig.app.url, preToolUse({ tool_input: { command: 'one edit' } }));
  const card = await rig.chat.find('its card', ({ text }) => text.includes('one edit'));
  await rig.chat.press(card.messageId, 'Approve');
  await held;
  const closed = await rig.closed(card);
  await rig.worked();
  expect(closed.text).toContain('Answered');
  expect((await rig.chat.message(card.messageId)).edits).toBe(1);
});

it('an outcome and an acknowledgement that wait for room together are one edit', async () => {
  const { approval, card } = await rig.shown();
  await rig.database.query(
    `insert into send_slots (chat_id, at) select -1001, clock_timestamp() from generate_series(1, ${MINUTE})`,
  );
  await rig.api.decide(approval.id, 'approved');
  await rig.api.acknowledge(approval.id, 'resumed');
  await rig.database.query(`delete from send_slots`);
  await rig.closed(card);
  await rig.worked();
  expect((await rig.chat.message(card.messageId)).edits).toBe(1);
  expect((await rig.chat.message(card.messageId)).text).toMatch(/Agent/);
});
