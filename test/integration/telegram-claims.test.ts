import type { ApprovalJson } from '../support/api';
import { issueKey } from '../support/keys';
import { SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const PAUL = 3;
const LEAD = 4;
const STRANGER_TO_IT = 5;
const SRE = -1002;

const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  paul: { telegram: ${PAUL}, groups: [sre] }
  lena: { telegram: ${LEAD}, groups: [leads] }
  mark: { telegram: ${STRANGER_TO_IT}, groups: [sales] }
destinations:
  everyone: { telegram: ${CHAT_ID} }
  sre: { telegram: ${SRE} }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { from: [sre, leads], chain: critical, claim: 10m, timeout: 30m, maximum: 50m }
chains:
  default: [ { to: everyone } ]
  critical: [ { to: sre }, { after: 5m, to: everyone } ]
`;

let rig: TelegramRig;
let sre: SandboxClient;
let keys: { olivia: string; lena: string; mark: string };
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: '99:Somebody', APPROVAL_WARNING_MINUTES: '5' });
  sre = new SandboxClient(rig.sandbox.url, SRE);
  const admin = await issueKey(rig.database, 'admin', 'maria', 'maria');
  keys = {
    olivia: await issueKey(rig.database, 'operator', 'olivia-laptop', 'olivia'),
    lena: await issueKey(rig.database, 'operator', 'lena-laptop', 'lena'),
    mark: await issueKey(rig.database, 'operator', 'mark-laptop', 'mark'),
  };
  await until('the policy is applied', async () => {
    const response = await fetch(`${rig.app.url}/api/policy`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', 'if-none-match': '*' },
      body: POLICY,
    });
    return response.status === 200;
  });
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

const production = { toolInput: { command: 'terraform apply' }, cwd: '/srv/shop' };

interface Claimed extends ApprovalJson {
  readonly code?: string;
  readonly claimedBy: { readonly person: string; readonly at: string; readonly until: string } | null;
  readonly snoozedBy: Claimed['claimedBy'];
  readonly extendedBy: { readonly person: string } | null;
}

async function post(key: string, path: string, body: object = {}) {
  const response = await fetch(`${rig.app.url}/api/approvals/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Claimed };
}

interface StepRow {
  readonly [column: string]: unknown;
  readonly at: number;
  /** Seconds until it begins. */
  readonly wait: number;
}

const stepOf = async ({ id }: ApprovalJson): Promise<StepRow | undefined> => {
  const [row] = await rig.database.query<StepRow>(
    `select (data::jsonb ->> 'at')::int as at, extract(epoch from available_at - now())::float8 as wait
     from outbox where approval_id = $1 and kind = 'step'`,
    [id],
  );
  return row;
};

const planned = (approval: ApprovalJson) =>
  until('the second step is planned', async () => (await stepOf(approval))?.at === 1);

/** Moves the end of the claim and the next step into the past, as if their time had come. */
const passTime = ({ id }: ApprovalJson) =>
  rig.database.query(
    `with lapsed as (
       update approvals set claim = claim || jsonb_build_object('until', now() - interval '1 s') where id = $1)
     update outbox set available_at = now(), data = (data::jsonb || '{"dueMs": 0}')::text
     where approval_id = $1 and kind = 'step'`,
    [id],
  );

const auditOf = async ({ id }: ApprovalJson) =>
  (
    await rig.database.query<{ type: string }>(
      'select type from audit_log where approval_id = $1 order by seq',
      [id],
    )
  ).map(({ type }) => type);

const labelsOf = ({ buttons }: ChatMessage) => buttons.flat().map(({ text }) => text);

const shows = (client: SandboxClient, { messageId }: ChatMessage, words: RegExp) =>
  until(`the card shows ${words}`, async () => {
    const message = await client.message(messageId);
    return labelsOf(message).some((text) => words.test(text)) ? message : null;
  });

it('a claim shows who and since when on the card, delays the next step by the time of its class, and decides nothing', async () => {
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  await planned(approval);
  await sre.press(card.messageId, "I'm on it", OPERATOR_ID, SRE);
  const shown = await shows(sre, card, /^🙋 olivia · \d\d:\d\d–\d\d:\d\d UTC$/);
  expect(shown.text).toBe(card.text);
  expect(labelsOf(shown)).toEqual(expect.arrayContaining([expect.stringContaining('Approve')]));
  const step = await stepOf(approval);
  expect(step?.wait).toBeGreaterThan(5 * 60);
  expect(step?.wait).toBeLessThanOrEqual(10 * 60);
  const body = (await rig.api.get(approval.id)).body as Claimed;
  expect(body).toMatchObject({ status: 'pending', claimedBy: { person: 'olivia' }, snoozedBy: null });
  expect(await auditOf(approval)).toEqual(['approval.enqueued', 'approval.claimed']);
  expect(rig.events('approval.claimed').some(({ approvalId }) => approvalId === approval.id)).toBe(true);
});

it('the chain goes on if nothing follows a claim, and its cards offer the claim again', async () => {
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  await planned(approval);
  await post(keys.olivia, `${approval.id}/claim`);
  await shows(sre, card, /olivia/);
  await passTime(approval);
  const leads = await rig.chat.card(approval.id);
  expect(await auditOf(approval)).toEqual(['approval.enqueued', 'approval.claimed', 'approval.escalated']);
  expect(labelsOf(leads)).toContain("🙋 I'm on it");
  await shows(sre, card, /^🙋 I'm on it$/);
});

it('one person holds a claim, over all channels, and everybody else still decides', async () => {
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  await sre.press(card.messageId, "I'm on it", OPERATOR_ID, SRE);
  const again = await post(keys.olivia, `${approval.id}/claim`);
  expect(again.status).toBe(200);
  expect(again.body.claimedBy).toMatchObject({ person: 'olivia' });
  await shows(sre, card, /olivia/);
  const answer = await sre.press(card.messageId, 'olivia', PAUL, SRE);
  expect(answer?.text).toContain('olivia is on it');
  await sre.press(card.messageId, 'Approve', PAUL, SRE);
  await until('it is approved', async () => (await rig.statusOf(approval)) === 'approved');
  const late = await post(keys.olivia, `${approval.id}/claim`);
  expect(late).toMatchObject({ status: 409, body: { code: 'approval.already-settled' } });
});

it('only somebody who may decide claims, and the refusal is audited', async () => {
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  for (const action of ['claim', 'snooze', 'extend']) {
    const refused = await post(
      keys.mark,
      `${approval.id}/${action}`,
      action === 'extend' ? { seconds: 60 } : {},
    );
    expect(refused).toMatchObject({ status: 403, body: { code: 'quorum.not-eligible' } });
  }
  expect(await auditOf(approval)).toEqual([
    'approval.enqueued',
    ...Array.from({ length: 3 }, () => 'approval.decision-refused'),
  ]);
});

it('no row of claims keeps the others from being asked: a step is delayed once', async () => {
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  await planned(approval);
  await post(keys.olivia, `${approval.id}/snooze`);
  const before = await stepOf(approval);
  await post(keys.olivia, `${approval.id}/claim`);
  const after = await stepOf(approval);
  expect(after?.wait).toBeLessThanOrEqual(before?.wait ?? 0);
});

it('of many who claim at once one has the claim', async () => {
  const approval = await rig.asked(production);
  await sre.card(approval.id);
  const people = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? keys.olivia : keys.lena));
  const answers = await Promise.all(people.map((key) => post(key, `${approval.id}/claim`)));
  const claimed = answers.flatMap(({ status, body }) => (status === 200 ? body.claimedBy?.person : []));
  expect(new Set(claimed).size).toBe(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  expect((await auditOf(approval)).filter((type) => type === 'approval.claimed')).toHaveLength(1);
});

it('reminds the chat when a snooze ends, and warns later all the same', async () => {
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  await until('its warning is planned', async () =>
    (await rig.outboxOf(approval)).some(({ kind }) => kind === 'warning'),
  );
  await sre.press(card.messageId, '5 min', OPERATOR_ID, SRE);
  await shows(sre, card, /^💤 olivia/);
  await sre.press(card.messageId, '+15 min', OPERATOR_ID, SRE);
  await shows(sre, card, /^⏰ \+15 min · until/);
  const [reminder] = await rig.database.query<{ wait: number }>(
    `select extract(epoch from available_at - now())::float8 as wait from outbox where approval_id = $1 and kind = 'warning'`,
    [approval.id],
  );
  expect(reminder?.wait).toBeLessThanOrEqual(5 * 60);
  await rig.database.query(
    `update outbox set available_at = now() where approval_id = $1 and kind = 'warning'`,
    [approval.id],
  );
  await until('the chat is reminded', async () =>
    (await sre.messages()).some(({ text }) => text.includes('Nobody has decided yet')),
  );
  await until('the warning is planned again', async () => {
    const [row] = await rig.database.query<{ wait: number }>(
      `select extract(epoch from available_at - now())::float8 as wait from outbox where approval_id = $1 and kind = 'warning'`,
      [approval.id],
    );
    return (row?.wait ?? 0) > 20 * 60;
  });
});

it('gives more time up to the maximum of the class, shows it on the card, and moves the timeout and the warning', async () => {
  const approval = await rig.asked(production);
  const card = await sre.card(approval.id);
  const endsAt = Date.parse(approval.expiresAt);
  await sre.press(card.messageId, '+15 min', PAUL, SRE);
  await shows(sre, card, /^⏰ \+15 min · until/);
  const body = (await rig.api.get(approval.id)).body as Claimed;
  expect(Date.parse(body.expiresAt) - endsAt).toBe(15 * 60_000);
  expect(body.extendedBy).toMatchObject({ person: 'paul' });
  const refused = await post(keys.olivia, `${approval.id}/extend`, { seconds: 301 });
  expect(refused).toMatchObject({ status: 409, body: { code: 'approval.no-more-time' } });
  const rest = await post(keys.olivia, `${approval.id}/extend`, { seconds: 300 });
  expect(Date.parse(rest.body.expiresAt) - Date.parse(approval.createdAt)).toBe(50 * 60_000);
  const answer = await sre.press(card.messageId, '+15 min', PAUL, SRE);
  expect(answer?.text).toContain('at the latest');
  const [warning] = await rig.database.query<{ lead: number }>(
    `select extract(epoch from approvals.expires_at - available_at)::float8 as lead from outbox
     join approvals on approvals.id = approval_id where approval_id = $1 and kind = 'warning'`,
    [approval.id],
  );
  expect(warning?.lead).toBe(5 * 60);
});

it('a caller that waits gets the decision that came in the added time', async () => {
  const approval = await rig.asked({ ...production, timeoutSeconds: 3 });
  await sre.card(approval.id);
  const waiting = rig.api.get(approval.id, 30);
  expect((await post(keys.olivia, `${approval.id}/extend`, { seconds: 600 })).status).toBe(200);
  await until('its first end has passed', () => Date.now() > Date.parse(approval.expiresAt) + 500);
  expect(await rig.statusOf(approval)).toBe('pending');
  const decided = await post(keys.olivia, `${approval.id}/decision`, { decision: 'approved' });
  expect(decided.status).toBe(200);
  expect((await waiting).body.status).toBe('approved');
});

it('rejects bad input with what is wrong', async () => {
  const approval = await rig.asked(production);
  for (const seconds of [0, -1, 1.5, '60', 1e9]) {
    const { status, body } = await post(keys.olivia, `${approval.id}/extend`, { seconds });
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'request.invalid' });
  }
});
