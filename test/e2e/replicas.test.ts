import { Api } from '../support/api';
import { Service } from '../support/processes';
import type { SandboxClient } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';

let backdrop: Backdrop;
let chat: SandboxClient;
let a: Service;
let b: Service;

beforeAll(async () => {
  backdrop = await setBackdrop();
  chat = backdrop.chat;
  // Both at once, on an empty database: they also race to migrate it.
  [a, b] = await Promise.all([Service.start(backdrop.environment), Service.start(backdrop.environment)]);
});
afterAll(strike);

it('a request asked at one replica and waited for at the other is answered there, with one card', async () => {
  for (const [asked, waited] of [
    [a, b],
    [b, a],
  ] as const) {
    const { body: approval } = await new Api(asked.url).enqueue();
    const waiting = new Api(waited.url).get(approval.id, 55);
    const card = await chat.card(approval.id);
    await chat.press(card.messageId, 'Approve');
    expect((await waiting).body.status).toBe('approved');
    await chat.card(approval.id, 0);
    expect(await chat.cardsOf(approval.id)).toHaveLength(1);
    const rows = await backdrop.database.query(
      `select 1 from audit_log where approval_id = $1 and type = 'approval.approved'`,
      [approval.id],
    );
    expect(rows).toHaveLength(1);
  }
});

it('telegram.md 2: when the replica that polls is killed, taps work again through the other within the lease time', async () => {
  const poller = async (): Promise<Service | undefined> => {
    const [lease] = await backdrop.database.query<{ holder: string }>(
      `select holder from leases where name = 'telegram-poller' and expires_at > now()`,
    );
    return [a, b].find(({ pid }) => lease?.holder.includes(`:${pid}:`));
  };
  const killed = await until('one of them polls', poller);
  const left = killed === a ? b : a;
  const { body: approval } = await new Api(left.url).enqueue();
  const card = await chat.card(approval.id);
  await killed.kill();
  // The sandbox lets a tap be answered for as long as Telegram does, and no longer.
  expect(await chat.press(card.messageId, 'Reject')).toMatchObject({ showAlert: false });
  expect((await new Api(left.url).get(approval.id)).body.status).toBe('rejected');
});

it('telegram.md 2: exactly one replica polls at a time, and a second one adds nothing while the first lives', async () => {
  const survivor = a.alive ? a : b;
  const newcomer = await Service.start(backdrop.environment);
  // It takes part in the work at once…
  const { body: approval } = await new Api(newcomer.url).enqueue();
  const card = await chat.card(approval.id);
  await chat.press(card.messageId, 'Approve');
  expect((await new Api(newcomer.url).get(approval.id, 5)).body.status).toBe('approved');
  // …and never fought for the updates: Telegram tells the loser of such a fight with 409.
  expect((await chat.calls('getUpdates')).map(({ status }) => status)).not.toContain(409);
  const [lease] = await backdrop.database.query<{ holder: string }>(
    `select holder from leases where name = 'telegram-poller'`,
  );
  expect(lease?.holder).toContain(`:${survivor.pid}:`);
  expect(await newcomer.stop()).toMatchObject({ code: 0 });
  expect(await survivor.stop()).toMatchObject({ code: 0 });
});
