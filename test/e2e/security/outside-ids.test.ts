import { Api, type ApprovalJson } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { callHook, permissionRequest, preToolUse, verdictOf, type HookCall } from '../../support/hook-client';
import { issueKey, keyIs } from '../../support/keys';
import { callApprove, mcpSession, postMcp } from '../../support/mcp-client';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { until } from '../../support/until';
import { OPERATOR_KEY } from '../../support/well-known';

let database: TestDatabase;
let here: OpenApp;
let there: OpenApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  here = await openTestApp(database.url);
  there = await openTestApp(database.url);
  api = new Api(here.url);
});
afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
  await database.drop();
});

interface Asked {
  readonly allowed: Promise<boolean>;
  readonly hangUp: () => void;
}

/** One of the two connectors: how a call is made, and how it may be told from another. */
type Ask = (what: {
  readonly command: string;
  readonly id: string;
  readonly session: string;
  readonly at?: OpenApp;
}) => Promise<Asked>;

/** The first bytes of a body. */
async function beginningOf({ body }: Response): Promise<string> {
  const read = await body?.getReader().read();
  return new TextDecoder().decode(read?.value as Uint8Array | undefined);
}

/** A caller that hangs up is allowed nothing. */
const allowedBy = ({ answer, hangUp }: HookCall): Asked => ({
  allowed: answer.then(
    (given) => verdictOf(given).allow,
    () => false,
  ),
  hangUp,
});

const byHook: Ask = async ({ command, id, session, at = here }) => {
  const payload = preToolUse({ tool_input: { command }, tool_use_id: id, session_id: session });
  return allowedBy(await callHook(at.url, payload));
};
const byPermissionRequest: Ask = async ({ command, id, session, at = here }) => {
  const payload = permissionRequest({ tool_input: { command }, prompt_id: id, session_id: session });
  return allowedBy(await callHook(at.url, payload));
};
const byMcp: Ask = async ({ command, id, session, at = here }) => {
  const { decision, hangUp } = await callApprove(at.url, { command, toolUseId: id }, { session });
  return { allowed: decision.then((given) => given?.behavior === 'allow'), hangUp };
};

let sessions = 0;
const hookSession = (): Promise<string> => Promise.resolve(`session-${(sessions += 1)}`);

const waiting = (count: number): Promise<true> =>
  until(`${count} wait`, () => here.feed.size + there.feed.size === count && true);

async function requestsFor(command: string): Promise<ApprovalJson[]> {
  const { body } = await api.call<{ items: ApprovalJson[] }>('operator', 'GET', '/api/approvals?limit=200');
  return body.items.filter(({ toolInput }) => toolInput.command === command);
}

/** The requests for this command, once there are so many. */
const asked = (command: string, count: number): Promise<ApprovalJson[]> =>
  until(`${count} requests`, async () => {
    const found = await requestsFor(command);
    return found.length === count && found;
  });

const pendingOf = (requests: readonly ApprovalJson[]): ApprovalJson => {
  const [pending, ...others] = requests.filter(({ status }) => status === 'pending');
  if (!pending || others.length > 0) throw new Error('there is one');
  return pending;
};

const acknowledged = (id: string, as: string): Promise<true> =>
  until('the acknowledgement', async () => (await api.get(id)).body.acknowledged === as && true);

const usesRefused = (id: string) =>
  database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where approval_id = $1 and type = 'approval.use-refused'`,
    [id],
  );

describe.each([
  ['the hook', byHook, hookSession],
  ['the hook without a tool-use id', byPermissionRequest, hookSession],
  ['MCP', byMcp, () => mcpSession(here.url)],
] as const)('security 28: an id from outside identifies nothing alone: by %s', (name, ask, newSession) => {
  const command = (what: string): string => `${what} by ${name}`;

  it('the same id and action in another session is asked anew', async () => {
    const call = { command: command('other session'), id: 'functions.Bash:0' };
    const first = await ask({ ...call, session: await newSession() });
    const [request] = await asked(call.command, 1);
    await api.decide(request?.id ?? '', 'approved');
    expect(await first.allowed).toBe(true);

    const second = await ask({ ...call, session: await newSession() });
    await api.decide(pendingOf(await asked(call.command, 2)).id, 'rejected');
    expect(await second.allowed).toBe(false);
  });

  it('the same id with another action is asked, on a card of its own', async () => {
    const session = await newSession();
    const first = await ask({ command: command('ls'), id: 'call_0', session });
    const second = await ask({ command: command('rm'), id: 'call_0', session });
    const [harmless] = await asked(command('ls'), 1);
    const [other] = await asked(command('rm'), 1);
    await api.decide(harmless?.id ?? '', 'approved');
    await api.decide(other?.id ?? '', 'rejected');
    expect([await first.allowed, await second.allowed]).toEqual([true, false]);
  });

  it('one tap lets one call go on: the same call after the answer is asked anew, and the audit log has the attempt', async () => {
    const call = { command: command('once'), id: 'call_1', session: await newSession() };
    const first = await ask(call);
    const [approved] = await asked(call.command, 1);
    await api.decide(approved?.id ?? '', 'approved');
    expect(await first.allowed).toBe(true);
    for (let use = 2; use <= 4; use++) {
      const again = await ask({ ...call, at: use % 2 ? here : there });
      await api.decide(pendingOf(await asked(call.command, use)).id, 'rejected');
      expect(await again.allowed).toBe(false);
    }
    expect(await usesRefused(approved?.id ?? '')).toEqual([
      { actor: 'api:bootstrap-agent', data: expect.stringContaining('used') as string },
    ]);
  });

  it('two at one time are two questions: one tap lets one of them go on', async () => {
    const call = { command: command('twice'), id: 'call_2', session: await newSession() };
    const calls = await Promise.all([here, there, here].map((at) => ask({ ...call, at })));
    const requests = await asked(call.command, calls.length);
    await waiting(calls.length);
    await api.decide(requests[0]?.id ?? '', 'approved');
    const allowed = Promise.race(calls.map((each) => each.allowed));
    expect(await allowed).toBe(true);
    await waiting(calls.length - 1);
    for (const { id } of requests.slice(1)) await api.decide(id, 'rejected');
    const verdicts = await Promise.all(calls.map((each) => each.allowed));
    expect(verdicts.filter(Boolean)).toHaveLength(1);
  });

  it('of those that come back for one lost connection, on any replica, one waits in its place', async () => {
    const call = { command: command('lost'), id: 'call_3', session: await newSession() };
    const lost = await ask(call);
    const [request] = await asked(call.command, 1);
    await waiting(1);
    lost.hangUp();
    await waiting(0);
    await until('it is known that nobody waits', async () => {
      const [row] = await database.query<{ left: boolean }>(
        `select departed = joined + 1 as left from approvals where id = $1`,
        [request?.id],
      );
      return row?.left;
    });
    const back = await Promise.all([here, there, here, there].map((at) => ask({ ...call, at })));
    const requests = await asked(call.command, back.length);
    await waiting(back.length);
    await api.decide(request?.id ?? '', 'approved');
    await acknowledged(request?.id ?? '', 'answered');
    await waiting(back.length - 1);
    for (const { id } of requests) if (id !== request?.id) await api.decide(id, 'rejected');
    const verdicts = await Promise.all(back.map((each) => each.allowed));
    expect(verdicts.filter(Boolean)).toHaveLength(1);
  });
});

describe('security 28: an id from outside identifies nothing alone: by MCP', () => {
  it.each([
    ['no session', () => Promise.resolve(undefined)],
    ['a session of its own making', () => Promise.resolve('11111111-1111-4111-8111-111111111111')],
    [
      'a session that resembles an issued one',
      async () => (await mcpSession(here.url)).replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
    ],
    [
      'the session of another key',
      async () => {
        const key = await issueKey(database, 'agent', 'other');
        await keyIs(true, here.url, key);
        return mcpSession(here.url, key);
      },
    ],
  ])('a call with %s is never joined', async (name, sessionOf) => {
    const session = await sessionOf();
    const call = { command: `with ${name}`, toolUseId: 'call_4' };
    const caller = session === undefined ? {} : { session };
    const lost = await callApprove(here.url, call, caller);
    const [request] = await asked(call.command, 1);
    lost.hangUp();
    await waiting(0);
    const again = await callApprove(there.url, call, caller);
    const requests = await asked(call.command, 2);
    await api.decide(requests.find(({ id }) => id !== request?.id)?.id ?? '', 'rejected');
    expect((await again.decision)?.behavior).toBe('deny');
  });

  it('an answer that left counts, whatever becomes of the others of its batch', async () => {
    const session = await mcpSession(here.url);
    const call = (id: number, command: string) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: {
        name: 'approve',
        arguments: { tool_name: 'Bash', input: { command }, tool_use_id: command },
      },
    });
    const controller = new AbortController();
    const both = [call(1, 'first of two'), call(2, 'second of two')];
    const response = await postMcp(here.url, both, { 'mcp-session-id': session }, controller.signal);
    await waiting(2);
    const [first] = await asked('first of two', 1);
    await api.decide(first?.id ?? '', 'approved');
    expect(await beginningOf(response)).toContain('allow');
    controller.abort();
    await acknowledged(first?.id ?? '', 'answered');
    const again = await callApprove(
      here.url,
      { command: 'first of two', toolUseId: 'first of two' },
      { session },
    );
    await api.decide(pendingOf(await asked('first of two', 2)).id, 'rejected');
    expect((await again.decision)?.behavior).toBe('deny');
  });
});

describe('security 28: an id from outside identifies nothing alone: over REST', () => {
  it('an Idempotency-Key of one agent is nothing to another', async () => {
    const key = await issueKey(database, 'agent', 'neighbour');
    await keyIs(true, here.url, key);
    const neighbour = new Api(here.url, { agent: key, operator: OPERATOR_KEY });
    const [ours, theirs] = await Promise.all(
      [api, neighbour].map((each) => each.enqueue({}, { 'idempotency-key': 'functions.Bash:0' })),
    );
    expect(ours?.body.id).not.toBe(theirs?.body.id);
  });
});
