import type { ApprovalJson } from '../support/api';
import { cli } from '../support/cli';
import { issueKey, keyIs } from '../support/keys';
import { SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const SAM = 3;
const LENA = 4;
const PAUL = 5;
const SRE = -1002;

/** The full hour of UTC that is so many hours from this one. */
const hourFrom = (hours: number): string =>
  `${String((new Date().getUTCHours() + 24 + hours) % 24).padStart(2, '0')}:00`;

const QUIET_UNTIL = hourFrom(2);

/** It is Lena’s quiet hours. */
const POLICY = `
version: 1
people:
  olivia: { telegram: ${OPERATOR_ID}, groups: [sre] }
  sam: { telegram: ${SAM}, groups: [sre] }
  lena: { telegram: ${LENA}, groups: [leads], quiet: "${hourFrom(-1)}-${QUIET_UNTIL} UTC" }
  paul: { telegram: ${PAUL}, groups: [leads] }
  maria: { groups: [leads] }
destinations:
  everyone: { telegram: ${CHAT_ID} }
  sre: { telegram: ${SRE} }
  leads: { direct: [leads] }
  lena: { direct: [lena] }
rota:
  sre-duty: { members: [olivia], handover: "Mon 09:00 Europe/Berlin", every: 1w }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
  - id: night
    decision: ask
    match: { tool: [Bash], command: { mentions: [[night]] } }
    class: night
  - id: releases
    decision: ask
    match: { tool: [Bash], command: { mentions: [[release]] } }
    class: release
classes:
  release: { chain: release }
  night: { chain: night }
  critical: { from: [sre, leads], chain: critical }
chains:
  default: [ { to: everyone, mention: leads } ]
  critical: [ { to: sre, mention: sre-duty }, { after: 5m, to: leads } ]
  release: [ { to: leads } ]
  night: [ { to: lena } ]
`;

interface DutyJson {
  readonly rota: string;
  readonly person: string;
  readonly until: string;
  readonly next: string;
  readonly override: { readonly by: string } | null;
}

type Rich = ChatMessage & { readonly entities: readonly { type: string; user?: { id: number } }[] };

let rig: TelegramRig;
let sre: SandboxClient;
beforeAll(async () => {
  rig = await TelegramRig.start({ TELEGRAM_OPERATORS: '99:Somebody' });
  sre = new SandboxClient(rig.sandbox.url, SRE);
  const admin = await issueKey(rig.database, 'admin', 'maria', 'maria');
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
beforeEach(async () => {
  await rig.wipe();
  await rig.database.query('delete from rota_overrides');
});

const production = { toolInput: { command: 'terraform apply' }, cwd: '/srv/shop' };

const mentionedIn = (card: ChatMessage): number[] =>
  (card as Rich).entities.flatMap(({ type, user }) => (type === 'text_mention' && user ? [user.id] : []));

const onCall = async () =>
  (await rig.api.call<{ items: DutyJson[] }>('operator', 'GET', '/api/on-call')).body.items;

const override = (body: object, headers = {}) =>
  rig.api.call<DutyJson & { readonly detail?: string }>('operator', 'POST', '/api/on-call', body, headers);

const cardOf = async (approval: ApprovalJson, client: SandboxClient) => client.card(approval.id);

const audited = () =>
  rig.database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where type = 'rota.overridden' order by seq desc limit 1`,
  );

it('the card notifies the person on duty, and by a group its people who have Telegram', async () => {
  const card = await cardOf(await rig.asked(production), sre);
  expect(card.text).toContain('🔔 olivia');
  expect(mentionedIn(card)).toEqual([OPERATOR_ID]);
  const other = await cardOf(await rig.asked({ toolInput: { command: 'ls' } }), rig.chat);
  expect(other.text).toContain('🔔 lena, maria, paul');
  expect(mentionedIn(other)).toEqual([LENA, PAUL]);
});

it('an override in the chat puts its person on duty, whom the next card notifies, and leaves an audit row', async () => {
  const answer = await rig.chat.ask('/oncall me 4h', SAM);
  expect(answer).toMatch(/^📟 Changed\nsre-duty: sam until \d\d:\d\d on .*, Europe\/Berlin, then olivia/);
  expect(await onCall()).toMatchObject([
    { rota: 'sre-duty', person: 'sam', next: 'olivia', override: { by: `telegram:${SAM}` } },
  ]);
  const card = await cardOf(await rig.asked(production), sre);
  expect(mentionedIn(card)).toEqual([SAM]);
  const [row] = await audited();
  expect(row?.actor).toBe(`telegram:${SAM}`);
  expect(JSON.parse(row?.data ?? '')).toMatchObject({ rota: 'sre-duty', person: 'sam' });
});

it('a later override replaces the one before, and one that has ended counts no more', async () => {
  await rig.chat.ask('/oncall sre-duty sam 4h');
  expect(await rig.chat.ask('/oncall lena until 18:00')).toContain('sre-duty: lena until 18:00 on');
  expect(await rig.chat.ask('/oncall')).toContain('instead of the rota’s turn, by telegram:1');
  await rig.database.query('update rota_overrides set until = now()');
  expect(await onCall()).toMatchObject([{ person: 'olivia', override: null }]);
});

it('an override ends early, in the chat and over REST, with an audit row', async () => {
  await rig.chat.ask('/oncall sam 4h');
  expect(await rig.chat.ask('/oncall end', SAM)).toMatch(/^📟 Changed\nsre-duty: olivia until/);
  await rig.chat.ask('/oncall sre-duty sam 4h');
  expect(await rig.chat.ask('/oncall sre-duty end')).toContain('sre-duty: olivia until');
  await rig.chat.ask('/oncall sam 4h');
  const { status, body } = await rig.api.call<DutyJson>('operator', 'DELETE', '/api/on-call');
  expect([status, body]).toMatchObject([200, { person: 'olivia', override: null }]);
  expect((await rig.api.call('operator', 'DELETE', '/api/on-call?rota=night')).status).toBe(400);
  expect((await rig.api.call('agent', 'DELETE', '/api/on-call')).status).toBe(403);
  const ended = await rig.database.query<{ actor: string }>(
    `select actor from audit_log where type = 'rota.override-ended' order by seq`,
  );
  expect(ended.map(({ actor }) => actor.split(':')[0])).toEqual(['telegram', 'telegram', 'api']);
});

it('REST and the command line list the people with the ways in which they decide, and no account', async () => {
  await rig.chat.ask('/oncall sam 4h');
  const { body } = await rig.api.call<{ items: { name: string }[] }>('operator', 'GET', '/api/people');
  expect(body.items.map(({ name }) => name)).toEqual(['lena', 'maria', 'olivia', 'paul', 'sam']);
  expect(body.items.at(-1)).toEqual({
    name: 'sam',
    groups: ['sre'],
    hasTelegram: true,
    hasStarted: false,
    passkeys: 0,
    hasAccount: false,
    onDuty: ['sre-duty'],
  });
  expect((await rig.api.call('agent', 'GET', '/api/people')).status).toBe(403);
  const listed = await cli(['people', 'list'], { DATABASE_URL: rig.database.url });
  expect(listed.out).toMatch(/^sam +sre +not started +0 +-$/m);
});

it.each([
  ['/oncall tom 4h', 'The policy names nobody "tom"'],
  ['/oncall sam 200h', 'An override lasts a week at most'],
  ['/oncall night sam 4h', 'There is no rota "night". The policy has sre-duty.'],
  ['/oncall sam until 25:00', 'Nothing was changed. Write /oncall me 4h'],
  ['/oncall sam', 'Nothing was changed. Write /oncall me 4h'],
])('%s changes nothing and says why', async (command, words) => {
  expect(await rig.chat.ask(command, SAM)).toContain(words);
  expect(await onCall()).toMatchObject([{ person: 'olivia', override: null }]);
});

it('REST overrides for seconds or until a time, names the person of the key, and refuses the rest', async () => {
  const key = await issueKey(rig.database, 'operator', 'sams-laptop', 'Sam');
  await keyIs(true, rig.app.url, key);
  const { body } = await override({ person: 'me', seconds: 3600 }, { authorization: `Bearer ${key}` });
  expect(body).toMatchObject({ rota: 'sre-duty', person: 'sam', override: { by: 'api:sams-laptop' } });
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  expect((await override({ person: 'lena', until: inAnHour })).body).toMatchObject({ until: inAnHour });
  for (const [refused, words] of [
    [{ person: 'me', seconds: 60 }, 'the key has another owner'],
    [{ person: 'tom', seconds: 60 }, 'names nobody'],
    [{ person: 'sam', until: '2020-01-01T00:00:00Z' }, 'That time is past'],
    [{ person: 'sam' }, 'and not both'],
    [{ person: 'sam', seconds: 60, until: inAnHour }, 'and not both'],
    [{ person: 'sam', seconds: 700_000 }, 'a week at most'],
  ] as const) {
    const { status, body: problem } = await override(refused);
    expect([refused, status]).toEqual([refused, 400]);
    expect(JSON.stringify(problem)).toContain(words);
  }
  expect((await onCall())[0]?.person).toBe('lena');
  expect((await rig.api.call('agent', 'GET', '/api/on-call')).status).toBe(403);
});

it('in their quiet hours a person gets no direct messages but those of the class critical', async () => {
  const [lena, paul] = [LENA, PAUL].map((chat) => new SandboxClient(rig.sandbox.url, chat));
  for (const user of [LENA, PAUL]) await rig.chat.say('/start', { chat: user, user });
  await until('the bot knows both', async () => {
    const rows = await rig.database.query('select 1 from direct_lanes where id = any($1)', [
      [String(LENA), String(PAUL)],
    ]);
    return rows.length === 2;
  });
  const release = await rig.asked({ toolInput: { command: 'release 2' }, cwd: '/srv/shop' });
  await paul?.card(release.id);
  const emergency = await rig.asked(production);
  await cardOf(emergency, sre);
  await until('the next step is planned', async () => {
    const rows = await rig.database.query(
      `update outbox set available_at = now(), data = (data::jsonb || '{"dueMs": 0}')::text
       where approval_id = $1 and kind = 'step' and data::jsonb ->> 'at' = '1' returning id`,
      [emergency.id],
    );
    return rows.length === 1;
  });
  await lena?.card(emergency.id);
  expect(await lena?.cardsOf(release.id)).toEqual([]);
});

it('the last step waits for the end of quiet hours, and the request does not count as unreachable', async () => {
  const lena = new SandboxClient(rig.sandbox.url, LENA);
  await rig.chat.say('/start', { chat: LENA, user: LENA });
  await until('the bot knows her', async () => {
    const rows = await rig.database.query('select 1 from direct_lanes where id = $1', [String(LENA)]);
    return rows.length === 1;
  });
  const approval = await rig.asked({ toolInput: { command: 'night' }, timeoutSeconds: 7200 });
  await until('the step waits', () =>
    rig.events('escalation.quiet').some(({ approvalId }) => approvalId === approval.id),
  );
  const waits = `from outbox join approvals on approvals.id = approval_id where approval_id = $1 and kind = 'step'`;
  const [row] = await rig.database.query<{ due: string; unreachable: unknown }>(
    `select to_char(available_at at time zone 'UTC', 'HH24:MI') as due, unreachable_at as unreachable ${waits}`,
    [approval.id],
  );
  expect(row).toEqual({ due: QUIET_UNTIL, unreachable: null });
  expect(await lena.cardsOf(approval.id)).toEqual([]);
});

it('the last step does not wait for quiet hours that end after the request: nobody can be reached', async () => {
  const approval = await rig.asked({ toolInput: { command: 'night' }, timeoutSeconds: 600 });
  const wasTold = (event: string) => rig.events(event).some(({ approvalId }) => approvalId === approval.id);
  await until('the step has run', () => wasTold('escalation.quiet') || wasTold('escalation.unreachable'));
  expect(wasTold('escalation.quiet')).toBe(false);
});

it('/pending mine lists what waits for the one who asks, and not what they have decided', async () => {
  const approval = await rig.asked(production);
  await cardOf(approval, sre);
  expect(await rig.chat.ask('/pending mine', SAM)).toContain(approval.id.slice(-8));
  const key = await issueKey(rig.database, 'agent', 'sams-agent', 'sam');
  await keyIs(true, rig.app.url, key);
  const own = await rig.api.enqueue(production, { authorization: `Bearer ${key}` });
  const list = await rig.chat.ask('/pending mine', SAM);
  expect(list).toContain('Waiting for you');
  expect(list).not.toContain(own.body.id.slice(-8));
  expect(await rig.chat.ask('/pending mine', LENA)).toContain(own.body.id.slice(-8));
});

it('/claimed lists what somebody is on, until the claim ends', async () => {
  const [claimed, other] = [await rig.asked(production), await rig.asked(production)];
  await cardOf(claimed, sre);
  const key = await issueKey(rig.database, 'operator', 'olivias-laptop', 'olivia');
  await keyIs(true, rig.app.url, key);
  const path = `/api/approvals/${claimed.id}/claim`;
  const headers = { authorization: `Bearer ${key}` };
  expect((await rig.api.call('operator', 'POST', path, {}, headers)).status).toBe(200);
  const list = await rig.chat.ask('/claimed', PAUL);
  expect(list).toContain(claimed.id.slice(-8));
  expect(list).toContain('olivia is on it until');
  expect(list).not.toContain(other.id.slice(-8));
  await rig.database.query(`update approvals set claim = claim || jsonb_build_object('until', now())`);
  expect(await rig.chat.ask('/claimed', PAUL)).toBe('🙋 Nobody is on a request that waits.');
});

it('the menu has every command in the chats of operators, and two elsewhere', async () => {
  await sre.ask('/whoami', SAM);
  const menus = await until('the menu of the chat', async () => {
    const calls = await rig.chat.calls('setMyCommands');
    return calls.length > 0 ? calls : null;
  });
  expect(menus.map(({ params }) => params.scope)).toEqual([{ type: 'chat', chat_id: String(SRE) }]);
  await rig.restart();
  await until('the menus of the start', async () => (await rig.chat.calls('setMyCommands')).length >= 3);
  const [, ofChat, everywhere] = await rig.chat.calls('setMyCommands');
  const names = (call: typeof ofChat) =>
    (call?.params.commands as { command: string }[]).map(({ command }) => command);
  expect(ofChat?.params.scope).toEqual({ type: 'chat', chat_id: CHAT_ID });
  expect(names(ofChat)).toEqual(expect.arrayContaining(['pending', 'oncall', 'grants', 'today']));
  expect(everywhere?.params.scope).toBeUndefined();
  expect(names(everywhere)).toEqual(['whoami', 'help']);
});

it('a command that fails is answered with that', async () => {
  await rig.database.query('alter table rota_overrides rename to rota_overrides_away');
  try {
    expect(await rig.chat.ask('/oncall', LENA)).toContain('The database does not answer now');
  } finally {
    await rig.database.query('alter table rota_overrides_away rename to rota_overrides');
  }
});
