import type { ApprovalJson } from '../support/api';
import { DatabaseClock } from '../support/database-clock';
import { issueKey, keyIs } from '../support/keys';
import { SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const SAM = 3;
const LENA = 4;
const RITA = 5;
const SRE = -1002;

/** The clocks of Berlin skip 02:30 on 29 March 2026, and show it twice on 25 October. */
const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  sam: { telegram: ${SAM}, groups: [sre] }
  lena: { telegram: ${LENA}, groups: [leads], quiet: "22:00-07:00 Europe/Berlin" }
  rita: { telegram: ${RITA}, groups: [leads] }
destinations:
  everyone: { telegram: ${CHAT_ID} }
  sre: { telegram: ${SRE} }
  leads: { direct: [leads] }
  lena: { direct: [lena] }
rota:
  duty: { members: [olivia, sam], handover: "02:30 Europe/Berlin", every: 1d }
rules:
  - id: reports
    decision: ask
    match: { tool: [Bash], command: { mentions: [[report]] } }
    class: reports
classes:
  normal: { timeout: 30m, claim: 5m }
  reports: { timeout: 30m, chain: lena }
chains:
  default: [ { to: sre, mention: duty }, { after: 5m, to: leads } ]
  lena: [ { to: lena } ]
`;

let clock: DatabaseClock;
let rig: TelegramRig;
let sre: SandboxClient;
let lena: SandboxClient;
let rita: SandboxClient;

beforeAll(async () => {
  rig = await TelegramRig.start(
    {},
    {
      through: async (url) => {
        clock = await DatabaseClock.of(url, '2026-03-28T21:30:00Z');
        return url;
      },
    },
  );
  [sre, lena, rita] = [SRE, LENA, RITA].map((chat) => new SandboxClient(rig.sandbox.url, chat)) as [
    SandboxClient,
    SandboxClient,
    SandboxClient,
  ];
  const admin = await issueKey(rig.database, 'admin', 'maria', 'maria');
  await keyIs(true, rig.app.url, admin);
  const applied = await fetch(`${rig.app.url}/api/policy`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', 'if-none-match': '*' },
    body: POLICY,
  });
  expect(await applied.text()).toContain('sha256:');
  for (const user of [LENA, RITA]) await rig.chat.say('/start', { chat: user, user });
  await until('the bot knows both leads', async () => {
    const rows = await rig.database.query('select 1 from direct_lanes');
    return rows.length === 2;
  });
});
afterAll(() => rig.close());

interface DutyJson {
  readonly person: string;
  readonly until: string;
  readonly next: string;
}

async function onDuty(): Promise<DutyJson | undefined> {
  const { body } = await rig.api.call<{ items: DutyJson[] }>('operator', 'GET', '/api/on-call');
  return body.items[0];
}

const auditOf = async ({ id }: ApprovalJson) =>
  (
    await rig.database.query<{ type: string }>(
      'select type from audit_log where approval_id = $1 order by seq',
      [id],
    )
  ).map(({ type }) => type);

const isClosed = (client: SandboxClient, { messageId }: ChatMessage) =>
  until('the card shows the outcome', async () => {
    const message = await client.message(messageId);
    return message.buttons.length === 0 ? message : null;
  });

/** The next step waits for its time. */
const planned = ({ id }: ApprovalJson, at: number) =>
  until(`step ${at} is planned`, async () => {
    const [row] = await rig.database.query<{ at: number }>(
      `select (data::jsonb ->> 'at')::int as at from outbox where approval_id = $1 and kind = 'step'`,
      [id],
    );
    return row?.at === at;
  });

it('a night: nobody on duty answers, a lead who is awake claims and approves, and the sleeping one is asked in the morning', async () => {
  const evening = await onDuty();
  expect(evening?.until).toBe('2026-03-29T01:30:00.000Z');

  // 22:30 in Berlin: the one on duty does not answer.
  const asked = await rig.asked();
  const first = await sre.card(asked.id);
  expect(first.text).toContain(`🔔 ${evening?.person}`);
  await planned(asked, 1);
  await rig.restart();
  await clock.set('2026-03-28T21:36:00Z');
  const direct = await rita.card(asked.id);
  expect(await lena.cardsOf(asked.id)).toEqual([]);
  await rita.press(direct.messageId, "I'm on it", RITA, RITA);
  await until('the claim is stored', async () => (await auditOf(asked)).includes('approval.claimed'));
  await rig.restart();
  await rita.press(direct.messageId, 'Approve', RITA, RITA);
  for (const [client, card] of [
    [rita, direct],
    [sre, first],
  ] as const)
    expect((await isClosed(client, card)).text).toContain('Approved by rita');
  expect(await auditOf(asked)).toEqual([
    'approval.enqueued',
    'approval.escalated',
    'approval.claimed',
    'approval.approved',
  ]);
  expect(await sre.cardsOf(asked.id)).toHaveLength(1);

  // The clocks skip the hour of the handover.
  await clock.set('2026-03-29T01:29:00Z');
  expect((await onDuty())?.person).toBe(evening?.person);
  await clock.set('2026-03-29T01:31:00Z');
  expect(await onDuty()).toMatchObject({ person: evening?.next, until: '2026-03-30T00:30:00.000Z' });

  // Nobody answers at all: it ends once, after its half hour.
  const ignored = await rig.asked();
  expect((await sre.card(ignored.id)).text).toContain(`🔔 ${evening?.next}`);
  await clock.set('2026-03-29T02:02:00Z');
  await until('it has expired', async () => (await rig.statusOf(ignored)) === 'expired');
  expect((await auditOf(ignored)).filter((type) => type === 'approval.expired')).toHaveLength(1);

  // 06:50 in Berlin: the only step waits for seven o’clock.
  await clock.set('2026-03-29T04:50:00Z');
  const report = await rig.asked({ toolInput: { command: 'report' } });
  await until('the step waits', () =>
    rig
      .events('escalation.quiet')
      .some(({ approvalId, until: end }) => approvalId === report.id && end === '2026-03-29T05:00:00.000Z'),
  );
  expect(await lena.cardsOf(report.id)).toEqual([]);
  await clock.set('2026-03-29T05:00:01Z');
  const morning = await lena.card(report.id);
  await lena.press(morning.messageId, 'Reject', LENA, LENA);
  expect((await isClosed(lena, morning)).text).toContain('Rejected by lena');
  expect(await rig.database.query(`select from audit_log where type = 'approval.unreachable'`)).toEqual([]);
  expect(await rig.database.query(`select from outbox where kind in ('step', 'card')`)).toEqual([]);
});

it('a handover in the hour that the clocks show twice happens once, at the first', async () => {
  await clock.set('2026-10-25T00:29:00Z');
  const before = await onDuty();
  expect(before?.until).toBe('2026-10-25T00:30:00.000Z');
  for (const at of ['2026-10-25T00:31:00Z', '2026-10-25T01:31:00Z']) {
    await clock.set(at);
    expect(await onDuty()).toMatchObject({ person: before?.next, until: '2026-10-26T01:30:00.000Z' });
  }
});
