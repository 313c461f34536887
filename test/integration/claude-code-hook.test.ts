import type { ApprovalJson } from '../support/api';
import { DomainError } from '../../src/kernel/errors';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import {
  callHook,
  permissionRequest,
  preToolUse,
  verdictOf,
  type HookAnswer,
  type HookCall,
} from '../support/hook-client';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { startSandboxProcess, type Program } from '../support/processes';
import { buttonsOf, SandboxClient } from '../support/sandbox-client';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';
import { OPERATOR_KEY, telegramEnvironment } from '../support/well-known';

let database: TestDatabase;
let sandbox: Program;
let chat: SandboxClient;
let here: OpenApp;
let there: OpenApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  const { program, url } = await startSandboxProcess();
  sandbox = program;
  chat = new SandboxClient(url);
  await chat.liftLimits();
  here = await openTestApp(database.url, telegramEnvironment(url));
  there = await openTestApp(database.url, telegramEnvironment(url));
  api = new Api(here.url);
});
afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
  await sandbox.stop();
  await database.drop();
});

const hook = (payload: unknown, headers?: Record<string, string>) => callHook(here.url, payload, headers);

async function newest(): Promise<ApprovalJson> {
  const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=1');
  if (!body.items[0]) throw new Error('nothing was asked');
  return body.items[0];
}

const count = async (): Promise<number> =>
  (await database.query<{ count: number }>('select count(*)::int as count from approvals'))[0]?.count ?? 0;

/** The request that the payload asked for, once it is stored. */
const requestOf = ({ tool_use_id: id }: Record<string, unknown>): Promise<ApprovalJson> =>
  until('the request', async () => {
    const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=20');
    return body.items.find(({ toolUseId }) => toolUseId === id);
  });

const waiters = (count: number, at = here) => until(`${count} waiting`, () => at.feed.size === count);

/** A hook that surely waits. */
async function waiting(payload = preToolUse()): Promise<{ call: HookCall; request: ApprovalJson }> {
  const before = here.feed.size;
  const call = await hook(payload);
  await waiters(before + 1);
  return { call, request: payload.tool_use_id === undefined ? await newest() : await requestOf(payload) };
}

/** The connection of its call was lost, and the database knows. */
const nobodyWaits = (id: string) =>
  until('nobody waits', async () => {
    const [row] = await database.query<{ left: boolean }>(
      `select departed = joined + 1 as left from approvals where id = $1`,
      [id],
    );
    return row?.left;
  });

const settledAs = (id: string, status: string) =>
  until(status, async () => {
    const { body } = await api.get(id);
    return body.status === status && body;
  });

const acknowledged = (id: string) =>
  until('the acknowledgement', async () => (await api.get(id)).body.acknowledged);

describe('PreToolUse', () => {
  it('asks for exactly the tool use, with the name of the key as agent', async () => {
    const { call, request } = await waiting();
    expect(request).toMatchObject({
      agentId: 'bootstrap-agent',
      sessionId: 'f3b1c7a4-0000-4000-8000-000000000001',
      toolName: 'Bash',
      toolInput: { command: 'npm run deploy', description: 'Deploy the shop' },
      cwd: '/srv/shop',
      metadata: { claudeCode: { event: 'PreToolUse', permissionMode: 'default' } },
    });
    await api.decide(request.id, 'rejected');
    await call.answer;
  });

  it('is answered with allow after a tap on Approve, and the card says that the agent has the answer', async () => {
    const { call, request } = await waiting();
    expect(call.status).toBe(200);
    expect(call.headers['content-type']).toMatch(/^application\/json/);
    const card = await chat.card(request.id);
    await chat.press(card.messageId, 'Approve');
    expect(await call.answer).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PreToolUse',
        permissionDecision: 'allow',
        permissionDecisionReason: 'Approved by Olivia, without a reason.',
        updatedInput: request.toolInput,
      },
    });
    expect(await acknowledged(request.id)).toBe('answered');
    const shown = await chat.find(
      'the last line',
      ({ messageId, text }) =>
        messageId === card.messageId && text.includes('Answered: the agent received it'),
    );
    expect(buttonsOf(shown)).toEqual([]);
  });

  it('is answered with deny and the reason of the operator', async () => {
    const { call, request } = await waiting();
    await api.decide(request.id, 'rejected', 'not on a Friday');
    const { allow, message } = verdictOf(await call.answer);
    expect(allow).toBe(false);
    expect(message).toContain('not on a Friday');
    expect(await acknowledged(request.id)).toBe('answered');
  });

  it('is told "nobody answered" and not "no" when the time runs out', async () => {
    const { call, request } = await waiting();
    await database.query(
      `update approvals set expires_at = created_at + interval '1 millisecond' where id = $1`,
      [request.id],
    );
    await api.get(request.id);
    const { allow, message } = verdictOf(await call.answer);
    expect(allow).toBe(false);
    expect(message).toMatch(/nobody answered within/);
    expect(message).toMatch(/nobody said no/);
    expect(message).not.toMatch(/rejected/i);
  });

  it('is told who cancelled', async () => {
    const { call, request } = await waiting();
    await api.cancel(request.id, 'wrong branch', 'operator');
    expect(verdictOf(await call.answer)).toEqual({
      allow: false,
      message: expect.stringMatching(/cancelled by .*wrong branch/) as string,
    });
  });

  it('of a key that is revoked is told no', async () => {
    const key = await issueKey(database, 'agent', 'revoked-hook');
    await keyIs(true, here.url, key);
    const before = here.feed.size;
    const call = await hook(preToolUse(), { authorization: `Bearer ${key}` });
    await waiters(before + 1);
    await revokeKey(database, 'revoked-hook');
    expect(call.status).toBe(200);
    expect(verdictOf(await call.answer)).toEqual({
      allow: false,
      message: expect.stringContaining('revoked') as string,
    });
  });

  it('is answered by the deadline that the call asked for, and the request lives on', async () => {
    const payload = preToolUse();
    const call = await hook(payload, { 'countersign-wait-seconds': '1' });
    const { allow, message } = verdictOf(await call.answer);
    expect(allow).toBe(false);
    expect(message).toMatch(/nobody has answered yet.*stays open/);
    const request = await requestOf(payload);
    expect(request).toMatchObject({ status: 'pending', acknowledged: null });
    const again = await hook(payload);
    await api.decide(request.id, 'approved');
    expect(verdictOf(await again.answer).allow).toBe(true);
  });
});

describe('a retry', () => {
  it('of a lost connection joins the same request, at any replica', async () => {
    const payload = preToolUse();
    const before = await count();
    const { call, request } = await waiting(payload);
    call.hangUp();
    await nobodyWaits(request.id);
    const second = await callHook(there.url, payload);
    await waiters(1, there);
    expect(await count()).toBe(before + 1);
    await api.decide(request.id, 'approved');
    expect(verdictOf(await second.answer).allow).toBe(true);
  });

  it('is given the decision that came while nobody waited, once', async () => {
    const payload = preToolUse();
    const call = await hook(payload, { 'countersign-wait-seconds': '1' });
    await call.answer;
    const request = await requestOf(payload);
    await api.decide(request.id, 'approved');
    const again = await hook(payload);
    expect(verdictOf(await again.answer).allow).toBe(true);
    expect(await acknowledged(request.id)).toBe('answered');
    const { call: third, request: other } = await waiting(payload);
    expect(other.id).not.toBe(request.id);
    await api.decide(other.id, 'rejected');
    expect(verdictOf(await third.answer).allow).toBe(false);
  });

  it('after the input of the approved request was erased asks anew, and lets nothing run', async () => {
    const payload = preToolUse();
    await (
      await hook(payload, { 'countersign-wait-seconds': '1' })
    ).answer;
    const request = await requestOf(payload);
    await api.decide(request.id, 'approved');
    const admin = await issueKey(database, 'admin', 'eraser', 'maria');
    await keyIs(true, here.url, admin);
    const path = `/api/approvals/${request.id}/input`;
    const headers = { authorization: `Bearer ${admin}` };
    expect((await api.call(null, 'DELETE', path, { reason: 'a password' }, headers)).status).toBe(200);
    const { call: again, request: other } = await waiting(payload);
    expect(other.id).not.toBe(request.id);
    await api.decide(other.id, 'rejected');
    expect(verdictOf(await again.answer).allow).toBe(false);
  });

  it('while the first still waits is another question', async () => {
    const payload = preToolUse();
    const { call, request } = await waiting(payload);
    const { call: second } = await waiting(payload);
    const other = await newest();
    expect(other.id).not.toBe(request.id);
    await api.decide(other.id, 'approved');
    expect(verdictOf(await second.answer).allow).toBe(true);
    await api.decide(request.id, 'rejected');
    expect(verdictOf(await call.answer).allow).toBe(false);
  });

  it.each(['approved', 'rejected'] as const)('after it was %s and heard so asks anew', async (verdict) => {
    const payload = preToolUse();
    const { call, request } = await waiting(payload);
    await api.decide(request.id, verdict);
    await call.answer;
    const { call: again } = await waiting(payload);
    const other = await newest();
    expect(other.id).not.toBe(request.id);
    await api.decide(other.id, 'rejected');
    expect(verdictOf(await again.answer).allow).toBe(false);
    expect(
      await database.query(
        `select data from audit_log where approval_id = $1 and type = 'approval.use-refused'`,
        [request.id],
      ),
    ).toEqual([{ data: JSON.stringify({ reason: 'used' }).replace(':', ' : ') }]);
  });

  it('after the time of the request is over asks anew: an approval does not serve for ever', async () => {
    const payload = preToolUse();
    await (
      await hook(payload, { 'countersign-wait-seconds': '1' })
    ).answer;
    const request = await requestOf(payload);
    await api.decide(request.id, 'approved');
    await database.query('update approvals set expires_at = now() where id = $1', [request.id]);
    const { call: later, request: other } = await waiting(payload);
    expect(other.id).not.toBe(request.id);
    await api.decide(other.id, 'rejected');
    expect(verdictOf(await later.answer).allow).toBe(false);
  });

  it('of another subagent is another question, because its card says so', async () => {
    const payload = preToolUse({ agent_id: 'one' });
    const { call, request } = await waiting(payload);
    const { call: second } = await waiting({ ...payload, agent_id: 'two' });
    const other = await newest();
    expect(other.id).not.toBe(request.id);
    for (const { id } of [request, other]) await api.decide(id, 'rejected');
    await Promise.all([call.answer, second.answer]);
  });

  it('of the same tool use with another action is another question', async () => {
    const payload = preToolUse();
    const { call, request } = await waiting(payload);
    const other = await hook({ ...payload, tool_input: { command: 'rm -rf /' } });
    await waiters(2);
    const asked = await newest();
    expect(asked.toolInput).toEqual({ command: 'rm -rf /' });
    await api.decide(request.id, 'approved');
    expect(verdictOf(await call.answer).allow).toBe(true);
    await api.decide(asked.id, 'rejected');
    expect(verdictOf(await other.answer).allow).toBe(false);
  });

  it('in another permission mode is another question, because its card says so', async () => {
    const payload = preToolUse();
    const { call, request } = await waiting(payload);
    const bypassing = await hook({ ...payload, permission_mode: 'bypassPermissions' });
    await waiters(2);
    const other = await newest();
    expect(other.id).not.toBe(request.id);
    expect((await chat.card(other.id)).text).toContain('Permission mode bypassPermissions');
    expect((await chat.card(request.id)).text).not.toContain('Permission mode');
    expect(here.events.some(({ event }) => event === 'connector.unguarded-mode')).toBe(true);
    for (const { id } of [request, other]) await api.decide(id, 'rejected');
    await Promise.all([call.answer, bypassing.answer]);
  });
});

describe('PermissionRequest', () => {
  it('is answered in its own form', async () => {
    const { call, request } = await waiting(permissionRequest());
    await api.decide(request.id, 'approved');
    expect(await call.answer).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PermissionRequest',
        decision: { behavior: 'allow', updatedInput: request.toolInput },
      },
    });
    const denied = await waiting(permissionRequest());
    await api.decide(denied.request.id, 'rejected', 'no');
    expect(await denied.call.answer).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PermissionRequest',
        decision: { behavior: 'deny', message: 'Rejected by bootstrap-operator: no' },
      },
    });
  });

  it('joins the same question once its connection is lost, and asks anew after the answer', async () => {
    const payload = permissionRequest({ prompt_id: 'prompt-2' });
    const { call, request } = await waiting(payload);
    call.hangUp();
    await nobodyWaits(request.id);
    const retry = await hook(payload);
    await waiters(1);
    expect((await newest()).id).toBe(request.id);
    await api.decide(request.id, 'approved');
    expect(verdictOf(await retry.answer).allow).toBe(true);
    await acknowledged(request.id);

    const { call: next, request: another } = await waiting(payload);
    expect(another.id).not.toBe(request.id);
    await api.decide(another.id, 'rejected');
    expect(verdictOf(await next.answer).allow).toBe(false);
  });
});

describe('a hang-up', () => {
  it('cancels the request after five seconds, unless it was joined again somewhere', async () => {
    const kept = preToolUse();
    const { call: lost, request: abandoned } = await waiting();
    const { call: broken, request: joined } = await waiting(kept);
    const atMs = performance.now();
    for (const { hangUp } of [lost, broken]) hangUp();
    await nobodyWaits(joined.id);
    const again = await callHook(there.url, kept);
    await waiters(1, there);

    const { reason } = await settledAs(abandoned.id, 'cancelled');
    expect(performance.now() - atMs).toBeGreaterThan(4_900);
    expect(reason).toBe('the agent hung up');
    expect(await acknowledged(abandoned.id)).toBe('gone');
    expect((await api.get(joined.id)).body.status).toBe('pending');
    await api.decide(joined.id, 'approved');
    expect(verdictOf(await again.answer).allow).toBe(true);
  });

  it('of hundreds at once cancels every request, with two connections to the database', async () => {
    const AGENTS = 300;
    const crowd = await openTestApp(database.url, {
      DATABASE_POOL_SIZE: '2',
      APPROVAL_MAX_PENDING_PER_AGENT: '1000',
      RATE_LIMIT_AGENT_PER_MINUTE: '100000',
    });
    try {
      const calls = await Promise.all(
        Array.from({ length: AGENTS }, () => callHook(crowd.url, preToolUse({ session_id: 'the crowd' }))),
      );
      await waiters(AGENTS, crowd);
      for (const { hangUp } of calls) hangUp();
      await until(
        'every request is cancelled and acknowledged',
        async () => {
          const { status } = await new Api(crowd.url).call('operator', 'GET', '/api/approvals?limit=1');
          expect(status).toBe(200);
          const [left] = await database.query<{ count: number }>(
            `select count(*)::int as count from approvals
             where session_id = 'the crowd' and (status <> 'cancelled' or acknowledged is distinct from 'gone')`,
          );
          return left?.count === 0;
        },
        60_000,
      );
      expect(crowd.events.filter(({ event }) => event === 'connector.note-failed')).toEqual([]);
    } finally {
      await crowd.close();
    }
  });
});

describe('an address that is not quite the right one', () => {
  const post = (path: string) =>
    api.call<HookAnswer>('agent', 'POST', path, preToolUse(), { 'countersign-wait-seconds': '1' });

  it.each(['/connectors/claude-code/hook/', '//connectors/claude-code//hook'])('%s asks', async (path) => {
    const { status, body } = await post(path);
    expect(status).toBe(200);
    expect(verdictOf(body).message).toContain('nobody has answered yet');
  });

  it.each([
    '/connectors/Claude-Code/hook',
    '/CONNECTORS/claude-code/hook/?x=1',
    '/connectors/claude-code/hook%20',
    '/connectors/claude-code/hook;x',
    '/connectors/claude-code%2Fhook',
    '/connectors/claude-code',
    '/connectors/claude_code/hook',
    '/connectors/hook',
    '/connectors',
    '/connectors/mcp',
  ])('%s denies', async (path) => {
    const { status, body } = await post(path);
    expect([status, verdictOf(body).allow]).toEqual([200, false]);
    const asked = permissionRequest();
    const other = await api.call<HookAnswer>('agent', 'POST', path, asked);
    expect([other.status, other.body.hookSpecificOutput?.decision?.behavior]).toEqual([200, 'deny']);
  });

  it('where nobody asks for a decision stays unknown', async () => {
    expect((await api.call('agent', 'POST', '/connectors/other', { tool: 'Bash' })).status).toBe(404);
    expect((await api.call('agent', 'POST', '/elsewhere', preToolUse())).status).toBe(404);
  });
});

describe('a call that is refused before its body is understood', () => {
  const FORMS = [
    ['PreToolUse', { hookEventName: 'PreToolUse', permissionDecision: 'deny' }],
    ['PermissionRequest', { hookEventName: 'PermissionRequest', decision: { behavior: 'deny' } }],
    ['PostToolUse', undefined],
    ['Stop', undefined],
  ] as const;
  const BIG = 'x'.repeat(4_300_000);
  const lookAlike = { hook_event_name: 'Stop', text: '{"hook_event_name":"Stop"}' };
  const nested = JSON.stringify({ deep: [lookAlike], lookAlike, command: '}"' });
  const REFUSED = [
    ['is too large', (name: string) => `{"hook_event_name":"${name}","tool_input":{"c":"${BIG}"}}`],
    ['names its event last', (name: string) => `{"tool_input":{"c":"${BIG}"},"hook_event_name":"${name}"}`],
    ['has a lone surrogate', (name: string) => `{"tool_input":"\\ud800","hook_event_name":"${name}"}`],
    ['has too many parts', (name: string) => `{"t":[${'{},'.repeat(60_000)}0],"hook_event_name":"${name}"}`],
    ['is no JSON', (name: string) => `{"hook_event_name":"${name}","tool_input":{"c":}`],
    ['has a duplicate key', (name: string) => `{"cwd":"a","cwd":"b","hook_event_name":"${name}"}`],
    [
      'holds another event in its input',
      (name: string) => `{"tool_input":${nested},"cwd":"a","cwd":"b","hook_event_name":"${name}"}`,
    ],
    [
      'names the same event twice',
      (name: string) => `{"hook_event_name":"${name}","hook_\\u0065vent_name":"${name}"}`,
    ],
  ] as const;
  const CASES = REFUSED.flatMap(([what, of]) => FORMS.map(([name, form]) => ({ what, name, form, of })));

  it.each(CASES)('is answered in the form of $name when it $what', async ({ name, form, of }) => {
    const call = await hook(of(name));
    expect(call.status).toBe(200);
    const { hookSpecificOutput: output } = await call.answer;
    if (form === undefined) expect(output).toBeUndefined();
    else expect(output).toMatchObject(form);
  });

  it.each([
    ['names no event', `{"tool_input":${nested},"cwd":"a","cwd":"b"}`],
    ['names two', '{"hook_event_name":"Stop","hook_event_name":"PermissionRequest"}'],
    ['names one that is no text', '{"hook_event_name":"Stop","hook_event_name":{}}'],
    ['is a list', '[{"hook_event_name":"Stop"},'],
  ])('is denied as PreToolUse is when it %s', async (_what, body) => {
    const call = await hook(body);
    expect((await call.answer).hookSpecificOutput?.permissionDecision).toBe('deny');
  });

  it('is answered in the form of its event where another media type or packing is refused', async () => {
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'br' }]) {
      const call = await hook(permissionRequest(), headers);
      expect((await call.answer).hookSpecificOutput?.decision?.behavior).toBe('deny');
    }
  });
});

describe('whatever goes wrong', () => {
  it('a call that fails while it waits is a denial, and no longer counts as waiting', async () => {
    const payload = preToolUse();
    jest.spyOn(here.feed, 'register').mockImplementationOnce(() => {
      throw new DomainError('database.unavailable', 'The database is away.');
    });
    await denied(await hook(payload), /Nobody approved it/);
    const { id } = await requestOf(payload);
    const [row] = await database.query(
      'select joined + 1 - departed as waiting from approvals where id = $1',
      [id],
    );
    expect(row).toEqual({ waiting: 0 });
  });

  const denied = async (call: HookCall, message: RegExp) => {
    expect(call.status).toBe(200);
    expect(verdictOf(await call.answer)).toEqual({
      allow: false,
      message: expect.stringMatching(message) as string,
    });
  };

  it.each([
    ['no JSON', '{"hook_event_name":', {}],
    ['duplicate keys', '{"hook_event_name":"PreToolUse","session_id":"a","session_id":"b"}', {}],
    ['an empty body', '', {}],
    ['a list', '[]', {}],
    ['an oversize body', JSON.stringify(preToolUse({ tool_input: { command: 'x'.repeat(4_300_000) } })), {}],
    ['another media type', JSON.stringify(preToolUse()), { 'content-type': 'text/plain' }],
    ['no session', JSON.stringify(preToolUse({ session_id: undefined })), {}],
    ['an input that is no object', JSON.stringify(preToolUse({ tool_input: 'ls' })), {}],
    ['no time to wait', JSON.stringify(preToolUse()), { 'countersign-wait-seconds': '0' }],
    ['a wait that is no number', JSON.stringify(preToolUse()), { 'countersign-wait-seconds': 'soon' }],
    ['a bad key', JSON.stringify(preToolUse()), { authorization: 'Bearer wrong' }],
    ['an operator key', JSON.stringify(preToolUse()), { authorization: `Bearer ${OPERATOR_KEY}` }],
  ])('%s is a 200 that denies and asks nobody', async (_what, body, headers) => {
    const before = await count();
    await denied(await hook(body, headers), /^Countersign could not ask: .*Nobody approved it\.$/);
    expect(await count()).toBe(before);
  });

  it('PermissionRequest is denied in its own form', async () => {
    const call = await hook(permissionRequest({ tool_input: null }));
    expect((await call.answer).hookSpecificOutput?.decision?.behavior).toBe('deny');
    const unknown = await hook(permissionRequest(), { authorization: 'Bearer wrong' });
    expect((await unknown.answer).hookSpecificOutput?.decision?.behavior).toBe('deny');
  });

  it('too many pending requests are a denial', async () => {
    const full = await openTestApp(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '1' });
    const { body } = await api.enqueue();
    try {
      await denied(await callHook(full.url, preToolUse()), /pending/);
    } finally {
      await full.close();
      await api.cancel(body.id);
    }
  });

  it('members that newer clients send change nothing', async () => {
    const { call, request } = await waiting(preToolUse({ novelty: { deep: [1] }, tool_input: {} }));
    await api.decide(request.id, 'approved');
    expect(verdictOf(await call.answer).allow).toBe(true);
  });

  it('events that gate nothing get no opinion', async () => {
    const call = await hook(preToolUse({ hook_event_name: 'PostToolUse' }));
    expect([call.status, await call.answer]).toEqual([200, {}]);
  });
});

it('counts who waits, and what they were told', async () => {
  const { call, request } = await waiting();
  const waitingNow = await Scrape.of(here.url);
  expect(waitingNow.value('connector_waiting', { connector: 'hook' })).toBe(1);
  const before = waitingNow.value('connector_answers_total', { connector: 'hook', answer: 'approved' });
  await api.decide(request.id, 'approved');
  await call.answer;
  await until('it is counted', async () => {
    const scrape = await Scrape.of(here.url);
    return (
      scrape.value('connector_answers_total', { connector: 'hook', answer: 'approved' }) === before + 1 &&
      scrape.value('connector_waiting', { connector: 'hook' }) === 0
    );
  });
});
