import { buttonsOf } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';

/** Messages that the chat takes in a minute; the test asks twice as many at once. */
const MINUTE = 6;
const BURST = 2 * MINUTE;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_BUDGET_GROUP_PER_MINUTE: String(MINUTE) });
});
afterAll(() => rig.close());

it('telegram.md 17: a burst above a minute of the budget is told once, every request gets its own card, and none is approved in bulk', async () => {
  const asked = await Promise.all(Array.from({ length: BURST }, () => rig.asked()));
  const digests = async () =>
    (await rig.chat.messages()).filter(({ text }) => text.includes('/pending lists them'));
  const cards = async () => (await rig.chat.messages()).filter(({ text }) => text.startsWith('💻 Run'));
  await until('a digest', async () => (await digests()).length > 0);
  // Minutes pass: what was sent counts no more.
  await until('every card is there', async () => {
    await rig.database.query(
      `update send_slots set at = at - interval '1 minute' where at <= clock_timestamp()`,
    );
    return (await cards()).length === BURST;
  });
  await rig.worked();
  expect(await digests()).toHaveLength(1);
  for (const digest of await digests()) expect(buttonsOf(digest)).toEqual([]);
  for (const { id } of asked) expect(await rig.chat.cardsOf(id)).toHaveLength(1);
  for (const approval of asked) expect(await rig.statusOf(approval)).toBe('pending');
});
