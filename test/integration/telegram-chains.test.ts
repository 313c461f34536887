import type { ApprovalJson } from '../support/api';
import { issueKey } from '../support/keys';
import { SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const PAUL = 3;
const LEAD = 4;
const SRE = -1002;

/** Waits of chains are ended by the tests, so none of them sleeps. */
const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  paul: { telegram: ${PAUL}, groups: [sre] }
  lena: { telegram: ${LEAD}, groups: [leads] }
destinations:
  everyone: { telegram: ${CHAT_ID} }
  sre: { telegram: ${SRE} }
  leads: { direct: [leads] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { from: [sre, leads], chain: critical }
chains:
  default: [ { to: everyone } ]
  critical: [ { to: sre }, { after: 5m, to: leads } ]
`;

let rig: TelegramRig;
let sre: SandboxClient;
let lead: SandboxClient;
let admin: string;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: '99:Somebody' });
  sre = new SandboxClient(rig.sandbox.url, SRE);
  lead = new SandboxClient(rig.sandbox.url, LEAD);
  admin = await issueKey(rig.database, 'admin', 'maria', 'maria');
  await until('the policy is applied', () => applies(POLICY, { 'if-none-match': '*' }));
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.wipe();
  for (const chat of [SRE, LEAD]) await rig.chat.change('chats', { chat, blocked: false });
  await rig.database.query('delete from direct_lanes');
});

async function applies(policy: string, condition: Record<string, string>): Promise<boolean> {
  const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', ...condition };
  const { status } = await fetch(`${rig.app.url}/api/policy`, { method: 'PUT', headers, body: policy });
  return status === 200;
}

/** Replaces the active policy. */
async function replacePolicy(policy: string): Promise<void> {
  const [row] = await rig.database.query<{ version: string }>(
    'select active_version as version from policy_state',
  );
  expect(await applies(policy, { 'if-match': `"${row?.version}"` })).toBe(true);
}

const production = { toolInput: { command: 'terraform apply' }, cwd: '/srv/shop' };

const steps = ({ id }: ApprovalJson) =>
  rig.database.query<{ at: number; due: string }>(
    `select (data::jsonb ->> 'at')::int as at, available_at::text as due from outbox where approval_id = $1 and kind = 'step'`,
    [id],
  );

const nextStepIsPlanned = (approval: ApprovalJson, at: number) =>
  until(`step ${at} is planned`, async () => (await steps(approval))[0]?.at === at);

/** Ends the wait for the next step, as if its time had come. */
async function passTime({ id }: ApprovalJson): Promise<void> {
  await rig.database.query(
    `update outbox set available_at = now(), data = (data::jsonb || '{"dueMs": 0}')::text where approval_id = $1 and kind = 'step'`,
    [id],
  );
}

const auditOf = async ({ id }: ApprovalJson) =>
  (
    await rig.database.query<{ type: string }>(
      'select type from audit_log where approval_id = $1 order by seq',
      [id],
    )
  ).map(({ type }) => type);

/** The number that the alert CountersignUnreachable watches. */
async function unreachable(): Promise<number> {
  const text = await (await fetch(`${rig.app.url}/metrics`)).text();
  return Number(/^escalation_unreachable (\d+)$/m.exec(text)?.[1]);
}

const startBot = (user: number) => rig.chat.say('/start', { chat: user, user });

const leadHasStarted = async () => {
  await startBot(LEAD);
  await until('the bot knows the lead', async () => {
    const rows = await rig.database.query('select 1 from direct_lanes where id = $1', [String(LEAD)]);
    return rows.length === 1;
  });
};

const isClosed = (client: SandboxClient, { messageId }: ChatMessage) =>
  until('the card shows the outcome', async () => {
    const message = await client.message(messageId);
    return message.buttons.length === 0 ? message : null;
  });

it('asks in the chat of the first step and nowhere else, and in the chat of `default` for everything else', async () => {
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  const other = await rig.asked({ toolInput: { command: 'ls' } });
  await rig.chat.card(other.id);
  expect(await rig.chat.cardsOf(approval.id)).toEqual([]);
  expect(await sre.cardsOf(other.id)).toEqual([]);
});

it('asks the leads when their time has come, and a tap there settles and closes every card', async () => {
  await leadHasStarted();
  const approval = await rig.asked(production);
  const first = await sre.card(approval.id);
  await nextStepIsPlanned(approval, 1);
  expect(await lead.cardsOf(approval.id)).toEqual([]);
  await passTime(approval);
  const second = await lead.card(approval.id);
  await rig.chat.press(second.messageId, 'Approve', LEAD, LEAD);
  expect((await isClosed(lead, second)).text).toContain('Approved by lena');
  expect((await isClosed(sre, first)).text).toContain('Approved by lena');
  expect(await rig.statusOf(approval)).toBe('approved');
  expect(await steps(approval)).toEqual([]);
  expect(await auditOf(approval)).toEqual(['approval.enqueued', 'approval.escalated', 'approval.approved']);
});

it('runs no step of a request that has settled', async () => {
  await leadHasStarted();
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  await nextStepIsPlanned(approval, 1);
  await rig.chat.press(card.messageId, 'Reject', PAUL, SRE);
  await isClosed(sre, card);
  expect(await steps(approval)).toEqual([]);
  expect(await lead.cardsOf(approval.id)).toEqual([]);
});

it('begins the next step at once where a chat refuses the card', async () => {
  await leadHasStarted();
  await rig.chat.change('chats', { chat: SRE, blocked: true });
  const approval = await rig.asked(production);
  const card = await lead.card(approval.id);
  await rig.chat.press(card.messageId, 'Approve', LEAD, LEAD);
  expect(await rig.statusOf(approval)).toBe('approved');
});

it('tells at once if no step reaches anybody, goes on to wait, and says so at the end', async () => {
  await rig.chat.change('chats', { chat: SRE, blocked: true });
  const approval = await rig.asked({ ...production, timeoutSeconds: 60 });
  await until('nobody can be reached', () =>
    rig.events('escalation.unreachable').some(({ approvalId }) => approvalId === approval.id),
  );
  expect(await rig.statusOf(approval)).toBe('pending');
  await until('the alert has its number', async () => (await unreachable()) === 1);
  const held = await rig.api.call<{ hookSpecificOutput: { permissionDecisionReason: string } }>(
    'agent',
    'POST',
    '/connectors/claude-code/hook',
    {
      session_id: 's',
      hook_event_name: 'PreToolUse',
      tool_name: 'Bash',
      tool_input: production.toolInput,
      cwd: production.cwd,
    },
    { 'countersign-wait-seconds': '3' },
  );
  expect(held.body.hookSpecificOutput.permissionDecisionReason).toContain('nobody could be reached yet');
  await rig.database.query(`update approvals set expires_at = now() where id = $1`, [approval.id]);
  const { body } = await rig.api.get(approval.id);
  expect(body).toMatchObject({
    status: 'expired',
    reason: expect.stringContaining('nobody could be reached') as string,
  });
});

it('says nothing like that while Telegram is out of order', async () => {
  await rig.chat.fault({ method: 'sendMessage', count: 1_000_000, status: 502 });
  const approval = await rig.asked(production);
  await until('a send has failed', async () => (await rig.calls('sendMessage', SRE)).length > 0);
  await nextStepIsPlanned(approval, 1);
  expect(await auditOf(approval)).toEqual(['approval.enqueued']);
  expect(await unreachable()).toBe(0);
});

it('a person who has blocked the bot is asked no more before they start it again', async () => {
  await leadHasStarted();
  await rig.chat.change('chats', { chat: LEAD, blocked: true });
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  await nextStepIsPlanned(approval, 1);
  await passTime(approval);
  await until(
    'the direct lane has ended',
    async () => (await rig.database.query('select 1 from direct_lanes')).length === 0,
  );
  await rig.chat.change('chats', { chat: LEAD, blocked: false });
  expect(await lead.cardsOf(approval.id)).toEqual([]);
});

it('a chat that the active policy names no more gets no card of a step that begins then', async () => {
  const later = POLICY.replace(
    '{ to: sre }, { after: 5m, to: leads }',
    '{ to: everyone }, { after: 5m, to: sre }',
  );
  await replacePolicy(later);
  try {
    const approval = await rig.asked(production);
    await rig.chat.card(approval.id);
    await nextStepIsPlanned(approval, 1);
    await replacePolicy(later.replace(/ {2}sre: .*\n/, '').replace(', { after: 5m, to: sre }', ''));
    await passTime(approval);
    await until('the step has begun', async () => (await auditOf(approval)).includes('approval.escalated'));
    const [row] = await rig.database.query<{ data: string }>(
      `select data from audit_log where approval_id = $1 and type = 'approval.escalated'`,
      [approval.id],
    );
    expect(JSON.parse(row?.data ?? '')).toMatchObject({ lanes: [], removed: [`telegram:${SRE}`] });
    expect(await rig.database.query(`select from outbox where lane = 'telegram:${SRE}'`)).toEqual([]);
    expect(rig.events('escalation.destination-removed').at(-1)).toMatchObject({ approvalId: approval.id });
  } finally {
    await replacePolicy(POLICY);
  }
});

it('runs the steps after a restart between them', async () => {
  await leadHasStarted();
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  await nextStepIsPlanned(approval, 1);
  await rig.app.close();
  await passTime(approval);
  await rig.restart();
  await lead.card(approval.id);
  expect(await sre.cardsOf(approval.id)).toHaveLength(1);
});
