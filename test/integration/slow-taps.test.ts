import { Client } from 'pg';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { TelegramRig } from '../support/telegram-rig';

let wire: TcpProxy;
let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start(
    {},
    {
      through: async (url) => {
        wire = await startTcpProxy(url);
        return wire.url;
      },
    },
  );
});
afterAll(async () => {
  await rig.close();
  await wire.close();
});
beforeEach(() => rig.wipe());

/** Holds the row of the approval for as long as the work takes. */
async function whileLocked<T>(id: string, work: () => Promise<T>): Promise<T> {
  const bystander = new Client({ connectionString: rig.database.url });
  await bystander.connect();
  try {
    await bystander.query('begin');
    await bystander.query('select 1 from approvals where id = $1 for update', [id]);
    return await work();
  } finally {
    await bystander.end();
  }
}

const answers = async () => (await rig.chat.calls('answerCallbackQuery')).length;

describe('telegram.md 11: while one approval is locked', () => {
  it('a tap on it is answered, claims nothing, and counts when the row is free', async () => {
    const { approval, card } = await rig.shown();
    await whileLocked(approval.id, async () => {
      const answer = await rig.chat.press(card.messageId, 'Approve');
      expect(answer?.text).toMatch(/still working.*the card will show the outcome/i);
      expect(answer?.text).not.toMatch(/approved|rejected/i);
      expect(await rig.statusOf(approval)).toBe('pending');
    });
    expect((await rig.closed(card)).text).toContain('Approved by Olivia');
    expect(await answers()).toBe(1);
    expect(rig.events('telegram.tap-slow').length).toBeGreaterThan(0);
    expect(rig.events('telegram.tap-lost')).toEqual([]);
  });

  it('taps on other cards count and are answered meanwhile, the later ones too', async () => {
    const locked = await rig.shown();
    const others = [await rig.shown(), await rig.shown()];
    await whileLocked(locked.approval.id, async () => {
      const slow = rig.chat.press(locked.card.messageId, 'Reject');
      for (const { approval, card } of others) {
        expect(await rig.chat.press(card.messageId, 'Approve')).toMatchObject({ showAlert: false });
        expect(await rig.statusOf(approval)).toBe('approved');
      }
      expect((await slow)?.text).toMatch(/still working/i);
      const { approval, card } = await rig.shown();
      expect(await rig.chat.press(card.messageId, 'Reject')).toMatchObject({ showAlert: false });
      expect(await rig.statusOf(approval)).toBe('rejected');
    });
    await rig.closed(locked.card);
    expect(await rig.statusOf(locked.approval)).toBe('rejected');
  });

  it('a tap that another process takes over is not lost', async () => {
    const { approval, card } = await rig.shown();
    await whileLocked(approval.id, async () => {
      expect((await rig.chat.press(card.messageId, 'Approve'))?.text).toMatch(/still working/i);
      await rig.restart();
    });
    await rig.closed(card);
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});

it('while the database is away a tap is answered, and counts when it is back', async () => {
  const { approval, card } = await rig.shown();
  wire.cut();
  try {
    expect((await rig.chat.press(card.messageId, 'Approve'))?.text).toMatch(/still working/i);
  } finally {
    wire.mend();
  }
  await rig.closed(card);
  expect(await rig.statusOf(approval)).toBe('approved');
  expect(await answers()).toBe(1);
});

/** SQLSTATE: the service took the same tables in another order, and PostgreSQL chose this transaction to end. */
const DEADLOCK = '40P01';

async function lockTables(bystander: Client): Promise<void> {
  await bystander.query('begin');
  try {
    await bystander.query('lock table approvals, cards, outbox, leases, audit_log in access exclusive mode');
  } catch (error) {
    if ((error as { code?: unknown }).code !== DEADLOCK) throw error;
    await bystander.query('rollback');
    await lockTables(bystander);
  }
}

it('while every table is locked a tap is answered, and counts when they are free', async () => {
  const { approval, card } = await rig.shown();
  const bystander = new Client({ connectionString: rig.database.url });
  await bystander.connect();
  await lockTables(bystander);
  const answer = await rig.chat.press(card.messageId, 'Approve');
  await bystander.end();
  expect(answer?.text).toMatch(/still working/i);
  await rig.closed(card);
  expect(await rig.statusOf(approval)).toBe('approved');
});
