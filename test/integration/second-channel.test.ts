import { pager, PAGER_LANE } from '../support/pager-channel';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';

// The one line of channels.ts that plugs in a channel.
jest.mock('../../src/channels/channels', () => {
  const { CHANNELS } = jest.requireActual<typeof import('../../src/channels/channels')>(
    '../../src/channels/channels',
  );
  const { PAGER } = jest.requireActual<typeof import('../support/pager-channel')>('../support/pager-channel');
  return { CHANNELS: [...CHANNELS, PAGER] };
});

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());

const isShown = (what: string) => until(`the pager shows ${what}`, () => pager.shown.includes(what));

async function asked(): Promise<string> {
  const { id } = await rig.asked();
  await rig.chat.card(id);
  return id;
}

it('shows each approval and its outcome beside Telegram', async () => {
  const id = await asked();
  await isShown(`card ${id}`);
  await rig.worked({ id });
  await rig.api.decide(id, 'approved');
  await rig.chat.card(id, 0);
  await isShown(`outcome ${id}`);
  expect(pager.shown.filter((what) => what.endsWith(id))).toHaveLength(2);
  await until('its slots are given back', () => pager.returned === 2);
});

it('holds nothing of Telegram back while it cannot be reached, and goes on afterwards', async () => {
  pager.reachable = false;
  const id = await asked();
  await asked();
  expect(pager.shown).not.toContain(`card ${id}`);
  pager.reachable = true;
  pager.onReachable();
  await isShown(`card ${id}`);
});

it('holds nothing of Telegram back while its limits are used up', async () => {
  pager.freeAt = '2999-01-01T00:00:00Z';
  const id = await asked();
  await asked();
  expect(pager.shown).not.toContain(`card ${id}`);
  pager.freeAt = null;
  await isShown(`card ${id}`);
});

it('is retried in its own lane', async () => {
  pager.refusals = 1;
  const id = await asked();
  await isShown(`card ${id}`);
  const lanes = await rig.database.query('select lane from outbox_lanes');
  expect(lanes).toEqual([{ lane: PAGER_LANE }]);
});

it('leaves the work of a channel that this replica does not have, and shows its dead letters', async () => {
  await rig.database.query(
    `insert into outbox (kind, lane, urgency, created_at, available_at, dead_at, last_error, data) values
       ('notice', 'fax:1', -1, now(), now(), null, null, '{}'),
       ('notice', '${PAGER_LANE}', -1, now(), now(), now(), 'torn', '{}')`,
  );
  await asked();
  expect(await rig.database.query(`select attempts from outbox where lane = 'fax:1'`)).toEqual([
    { attempts: 0 },
  ]);
  const { status, body } = await rig.api.call('operator', 'GET', '/api/diagnostics/outbox');
  expect(status).toBe(200);
  expect(body).toMatchObject({ dead: [{ chatId: PAGER_LANE, threadId: null, error: 'torn' }] });
});
