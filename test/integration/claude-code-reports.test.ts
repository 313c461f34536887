import { examineAll } from '../../src/cli/doctor/examine';
import { parseConfig } from '../../src/config/environment';
import { Api, type ApprovalJson } from '../support/api';
import { serviceEnvironment } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import {
  callHook,
  permissionRequest,
  preToolUse,
  verdictOf,
  type HookAnswer,
  type HookCall,
} from '../support/hook-client';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { startSandboxProcess, type Program } from '../support/processes';
import { SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';
import { telegramEnvironment } from '../support/well-known';

type Payload = Record<string, unknown>;

let database: TestDatabase;
let sandbox: Program;
let chat: SandboxClient;
let app: OpenApp;
let api: Api;
let sessions = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  const { program, url } = await startSandboxProcess();
  sandbox = program;
  chat = new SandboxClient(url);
  await chat.liftLimits();
  app = await openTestApp(database.url, {
    ...telegramEnvironment(url),
    TELEGRAM_BUDGET_PER_SECOND: '1000',
    TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
    TELEGRAM_BUDGET_GROUP_PER_MINUTE: '10000',
    RATE_LIMIT_OPERATOR_PER_MINUTE: '10000',
    RATE_LIMIT_AGENT_PER_MINUTE: '10000',
  });
  api = new Api(app.url);
});
afterAll(async () => {
  await app.close();
  await sandbox.stop();
  await database.drop();
});

/** Each test has a session of its own. */
const inSession = (): { session_id: string } => ({ session_id: `session-${(sessions += 1)}` });

async function requestsOf(sessionId: unknown): Promise<ApprovalJson[]> {
  const path = `/api/approvals?limit=50&sessionId=${String(sessionId)}`;
  return (await api.call<{ items: ApprovalJson[] }>('agent', 'GET', path)).body.items;
}

/** A hook that waits for the operators, and what it asked. */
async function asked(payload: Payload): Promise<{ call: HookCall; request: ApprovalJson }> {
  const before = (await requestsOf(payload.session_id)).map(({ id }) => id);
  const call = await callHook(app.url, payload);
  const request = await until('the request', async () =>
    (await requestsOf(payload.session_id)).find(({ id }) => !before.includes(id)),
  );
  return { call, request };
}

/** As the agent reports what became of a call. */
const report = (event: string, payload: Payload, more: Payload = {}): Payload => ({
  ...payload,
  hook_event_name: event,
  ...(event === 'PostToolUse' ? { tool_response: { stdout: '' }, duration_ms: 5 } : {}),
  ...(event === 'PostToolUseFailure' ? { error: 'Exit code 3', is_interrupt: false } : {}),
  ...more,
});

/** Sent and answered; what it leads to may come a moment later. */
async function send(payload: Payload, headers?: Record<string, string>): Promise<void> {
  const call = await callHook(app.url, payload, headers);
  expect([call.status, await call.answer]).toEqual([200, {}]);
}

const acknowledgedAs = (id: string, outcome: string | null) =>
  until(`acknowledged as ${outcome}`, async () => (await api.get(id)).body.acknowledged === outcome);

const settledAs = (id: string, status: string) =>
  until(status, async () => {
    const { body } = await api.get(id);
    return body.status === status && body;
  });

async function answered(payload: Payload, decision: 'approved' | 'rejected' = 'approved'): Promise<string> {
  const { call, request } = await asked(payload);
  await chat.card(request.id);
  await api.decide(request.id, decision);
  await call.answer;
  await acknowledgedAs(request.id, 'answered');
  return request.id;
}

/** Reports are handled in turn: what this one changes is changed after those before it. */
async function afterwards(sessionId: unknown): Promise<void> {
  const marker = preToolUse({ session_id: sessionId });
  const id = await answered(marker);
  await send(report('PostToolUse', marker));
  await acknowledgedAs(id, 'ran');
}

const shows = (id: string, line: string) =>
  until(`the card says: ${line}`, async () =>
    (await chat.cardsOf(id)).some(({ text }) => text.includes(line)),
  );

const auditOf = (id: string, type: string) =>
  database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where approval_id = $1 and type = $2 order by seq`,
    [id, type],
  );

describe('an approval that was answered', () => {
  it.each([
    ['PostToolUse', 'ran', 'Ran: the agent reports that the tool ran'],
    ['PostToolUseFailure', 'failed', 'Failed: the agent reports that the tool failed'],
  ])('is only "answered" until %s says that it %s', async (event, outcome, line) => {
    const payload = preToolUse(inSession());
    const id = await answered(payload);
    await shows(id, 'Answered: the agent received it');
    expect((await chat.card(id, 0)).text).not.toMatch(/went on|\bran\b/);
    await send(report(event, payload));
    await acknowledgedAs(id, outcome);
    await shows(id, line);
    expect(
      (await auditOf(id, 'approval.acknowledged')).map(({ data }) => JSON.parse(data) as object),
    ).toEqual([{ outcome: 'answered' }, { outcome }]);
  });

  it('of a PermissionRequest, which has no id, is known by its action', async () => {
    const session = inSession();
    const id = await answered(permissionRequest(session));
    await send(report('PostToolUse', preToolUse(session)));
    await acknowledgedAs(id, 'ran');
  });

  it('does not change its report, and a report outruns the note that it was answered', async () => {
    const payload = preToolUse(inSession());
    const { request } = await asked(payload);
    await api.decide(request.id, 'approved');
    await send(report('PostToolUse', payload));
    await acknowledgedAs(request.id, 'ran');
    await send(report('PostToolUseFailure', payload));
    await afterwards(payload.session_id);
    expect((await api.get(request.id)).body.acknowledged).toBe('ran');
    expect((await api.acknowledge(request.id, 'gone')).status).toBe(409);
  });

  it.each([
    ['another session', { session_id: 'another' }],
    ['another use of the tool', { tool_use_id: 'toolu_another' }],
    ['another tool', { tool_name: 'Write' }],
    ['another input', { tool_input: { command: 'rm -rf /' } }],
  ])('is not reported on by %s', async (_what, more) => {
    const payload = preToolUse(inSession());
    const id = await answered(payload);
    await send(report('PostToolUse', payload, more));
    await afterwards(payload.session_id);
    expect((await api.get(id)).body.acknowledged).toBe('answered');
  });

  it('is not reported on with another key', async () => {
    const key = await issueKey(database, 'agent', 'reporting-stranger');
    await keyIs(true, app.url, key);
    const payload = preToolUse(inSession());
    const id = await answered(payload);
    await send(report('PostToolUse', payload), { authorization: `Bearer ${key}` });
    await afterwards(payload.session_id);
    expect((await api.get(id)).body.acknowledged).toBe('answered');
  });

  it('is known again where the tool left the directory that it was asked in', async () => {
    const payload = preToolUse(inSession());
    const id = await answered(payload);
    await send(report('PostToolUse', payload, { cwd: '/elsewhere' }));
    await acknowledgedAs(id, 'ran');
  });
});

describe('a request that was answered at the terminal while the card was open', () => {
  it.each([
    ['PostToolUse', 'ran'],
    ['PostToolUseFailure', 'failed'],
    ['PermissionDenied', null],
    ['Stop', null],
    ['StopFailure', null],
    ['SessionEnd', null],
  ])('is retracted by %s, in card, log and audit', async (event, outcome) => {
    const session = inSession();
    const { call, request } = await asked(permissionRequest(session));
    await chat.card(request.id);
    await send(report(event, preToolUse(session)));
    expect(await settledAs(request.id, 'cancelled')).toMatchObject({ reason: 'answered at the terminal' });
    expect(verdictOf(await call.answer).allow).toBe(false);
    await acknowledgedAs(request.id, outcome);
    await shows(request.id, 'answered at the terminal');
    const { text } = await chat.card(request.id, 0);
    expect(text).not.toContain('Agent gone');
    expect(
      app.events.some(
        ({ event: name, reason, approvalId }) =>
          name === 'connector.retracted' &&
          reason === 'answered at the terminal' &&
          approvalId === request.id,
      ),
    ).toBe(true);
    const [row] = await auditOf(request.id, 'approval.cancelled');
    expect(row).toMatchObject({ actor: 'api:bootstrap-agent' });
    expect(JSON.parse(row?.data ?? '{}')).toMatchObject({ reason: 'answered at the terminal' });
    expect(await api.decide(request.id, 'rejected')).toMatchObject({
      status: 409,
      body: { approval: { status: 'cancelled' } },
    });
  });

  it('is not one of another session, another action, or of a subagent', async () => {
    const session = inSession();
    const others = [
      await asked(permissionRequest(inSession())),
      await asked(permissionRequest({ ...session, tool_input: { command: 'another' } })),
      await asked(permissionRequest({ ...session, agent_id: 'sub', agent_type: 'Explore' })),
    ];
    const { request } = await asked(permissionRequest(session));
    await send(report('PostToolUse', preToolUse(session)));
    await settledAs(request.id, 'cancelled');
    for (const { request: other, call } of others) {
      expect((await api.get(other.id)).body.status).toBe('pending');
      call.hangUp();
    }
  });

  it('of a subagent is retracted by its SubagentStop, and not by the Stop of another', async () => {
    const session = inSession();
    const { request } = await asked(permissionRequest({ ...session, agent_id: 'one' }));
    const { request: own } = await asked(permissionRequest(session));
    await send({ ...session, hook_event_name: 'SubagentStop', agent_id: 'two' });
    await send({ ...session, hook_event_name: 'Stop', stop_hook_active: false });
    await settledAs(own.id, 'cancelled');
    expect((await api.get(request.id)).body.status).toBe('pending');
    await send({ ...session, hook_event_name: 'SubagentStop', agent_id: 'one' });
    await settledAs(request.id, 'cancelled');
  });

  it('of a subagent ends with the session', async () => {
    const session = inSession();
    const { request } = await asked(permissionRequest({ ...session, agent_id: 'one' }));
    await send({ ...session, hook_event_name: 'SessionEnd', reason: 'other' });
    await settledAs(request.id, 'cancelled');
  });

  it('twice at the same time is retracted one by one, and what is left at the end of the turn', async () => {
    const session = inSession();
    const { request: first } = await asked(permissionRequest(session));
    const { request: second } = await asked(permissionRequest(session));
    await send(report('PostToolUse', preToolUse(session)));
    await settledAs(first.id, 'cancelled');
    expect((await api.get(second.id)).body.status).toBe('pending');
    await send({ ...session, hook_event_name: 'Stop' });
    await settledAs(second.id, 'cancelled');
  });

  it('is retracted before the report is answered, so that the end of a turn ends nothing of the next', async () => {
    const session = inSession();
    const { request } = await asked(permissionRequest(session));
    await send({ ...session, hook_event_name: 'Stop' });
    expect((await api.get(request.id)).body.status).toBe('cancelled');
  });

  it('of a session with more than fits into a page is retracted like all others', async () => {
    const session = inSession();
    const calls: HookCall[] = [];
    for (let i = 0; i < 12; i += 1) {
      const input = { command: `${i} ${'x'.repeat(240_000)}` };
      calls.push((await asked(permissionRequest({ ...session, tool_input: input }))).call);
    }
    await send({ ...session, hook_event_name: 'SessionEnd' });
    for (const call of calls) expect(verdictOf(await call.answer).allow).toBe(false);
  });

  it('is not one that was asked for over REST in the same session', async () => {
    const { session_id: sessionId } = inSession();
    const { body } = await api.enqueue({ sessionId, toolName: 'Bash', toolInput: { command: 'x' } });
    const { request } = await asked(permissionRequest({ session_id: sessionId }));
    await send({ session_id: sessionId, hook_event_name: 'SessionEnd', reason: 'other' });
    await settledAs(request.id, 'cancelled');
    expect((await api.get(body.id)).body.status).toBe('pending');
  });

  it('and decided on a card in the same moment has one ending, which everybody is told', async () => {
    for (let round = 0; round < 25; round += 1) {
      const session = inSession();
      const { call, request } = await asked(permissionRequest(session));
      const [, decision] = await Promise.all([
        send(report('PostToolUse', preToolUse(session))),
        api.decide(request.id, 'approved'),
      ]);
      const { allow } = verdictOf(await call.answer);
      await acknowledgedAs(request.id, 'ran');
      const { body: final } = await api.get(request.id);
      expect([allow, decision.status === 200]).toEqual(Array(2).fill(final.status === 'approved'));
      const endings = await database.query(
        `select from audit_log where approval_id = $1 and type in ('approval.approved', 'approval.cancelled')`,
        [request.id],
      );
      expect(endings).toHaveLength(1);
    }
  });
});

describe('a report', () => {
  it('that cannot be read is answered with nothing, and logged', async () => {
    await send({ hook_event_name: 'PostToolUse', session_id: 7 });
    await until('the log', () => app.events.some(({ event }) => event === 'connector.report-unreadable'));
  });

  it('of another event is answered with nothing, and logged', async () => {
    await send({ hook_event_name: 'Notification', session_id: 'x' });
    await until('the log', () => app.events.some(({ event }) => event === 'connector.hook-gates-nothing'));
  });
});

describe('with the matcher *', () => {
  it.each(['PreToolUse', 'PermissionRequest'])(
    'a tool that only reads gets no decision at %s, and no card',
    async (event) => {
      const session = inSession();
      for (const tool of ['Read', 'Glob', 'Grep', 'LS', 'TodoWrite', 'TaskCreate', 'ToolSearch'])
        await send(preToolUse({ ...session, hook_event_name: event, tool_name: tool }));
      expect(await requestsOf(session.session_id)).toEqual([]);
    },
  );

  it.each(['PowerShell', 'Monitor', 'WebFetch', 'WebSearch', 'Agent', 'read', 'mcp__shop__Read'])(
    '%s is asked for',
    async (tool) => {
      const { call, request } = await asked(preToolUse({ ...inSession(), tool_name: tool }));
      expect(request.toolName).toBe(tool);
      await api.decide(request.id, 'rejected');
      expect(verdictOf(await call.answer).allow).toBe(false);
    },
  );

  it('a tool that the service never saw described is asked for, and named once in the log and by doctor', async () => {
    const session = inSession();
    for (const tool of ['Teleport', 'Teleport', 'mcp__shop__deploy', 'Tele"port\u0000']) {
      const { call, request } = await asked(preToolUse({ ...session, tool_name: tool }));
      await api.decide(request.id, 'rejected');
      await call.answer;
    }
    const warned = app.events.filter(({ event }) => event === 'connector.unknown-tool');
    expect(warned.map(({ toolName }) => toolName)).toContain('Teleport');
    expect(warned.filter(({ toolName }) => toolName === 'Teleport')).toHaveLength(1);
    expect(warned.map(({ toolName }) => toolName)).not.toContain('mcp__shop__deploy');
    const config = parseConfig(serviceEnvironment(database.url, {}));
    const found = await examineAll(
      () => config,
      { url: app.url },
      () => undefined,
    );
    expect(found.filter(({ check }) => check === 'agent-tools')).toEqual([
      {
        check: 'agent-tools',
        severity: 'warning',
        message:
          'this version does not know these tools of Claude Code: "Tele\\"port\\u0000", "Teleport", "read"',
        fix: expect.stringContaining('upgrade') as string,
      },
    ]);
  });
});

describe('a question of the agent', () => {
  const questions = [
    {
      question: 'Which database?',
      header: 'Database',
      multiSelect: false,
      options: [
        { label: 'PostgreSQL', description: 'As before' },
        { label: 'SQLite', description: 'One file' },
      ],
    },
  ];
  const ask = (more: Payload = {}): Payload =>
    preToolUse({ tool_name: 'AskUserQuestion', tool_input: { questions }, ...more });

  const answersFrom = (answer: HookAnswer) =>
    (answer.hookSpecificOutput as { updatedInput?: { answers?: unknown } } | undefined)?.updatedInput
      ?.answers;

  it('waits for the operators, and gets the answer in the form of the tool', async () => {
    const { call, request } = await asked(ask(inSession()));
    const card = await chat.card(request.id, 3);
    for (const text of ['asks a question', 'Which database?', 'PostgreSQL', 'One file', 'Tap an answer'])
      expect(card.text).toContain(text);
    await chat.press(card.messageId, '2 · SQLite');
    const answer = await call.answer;
    expect(answer).toMatchObject({
      hookSpecificOutput: { permissionDecision: 'allow', updatedInput: { questions } },
    });
    expect(answersFrom(answer)).toEqual({ 'Which database?': 'SQLite' });
    await acknowledgedAs(request.id, 'answered');
  });

  it('by PermissionRequest gets it in the form of that event', async () => {
    const { call, request } = await asked(
      ask({ ...inSession(), hook_event_name: 'PermissionRequest', tool_use_id: undefined }),
    );
    await api.answer(request.id, { 'Which database?': ['one of our own'] });
    expect(await call.answer).toMatchObject({
      hookSpecificOutput: {
        decision: {
          behavior: 'allow',
          updatedInput: { questions, answers: { 'Which database?': 'one of our own' } },
        },
      },
    });
  });

  it('that an operator rejects is denied, and the model reads why', async () => {
    const { call, request } = await asked(ask(inSession()));
    await api.decide(request.id, 'rejected', 'decide yourself');
    expect(verdictOf(await call.answer)).toMatchObject({
      allow: false,
      message: expect.stringContaining('decide yourself') as string,
    });
  });

  it('that nobody answers in time is left to the terminal, and closes when it is answered there', async () => {
    const payload = ask(inSession());
    await send(payload, { 'Countersign-Wait-Seconds': '1' });
    const [request] = await requestsOf(payload.session_id);
    const id = request?.id ?? '';
    await send(
      report('PostToolUse', payload, { tool_input: { questions, answers: { 'Which database?': 'SQLite' } } }),
    );
    expect(await settledAs(id, 'cancelled')).toMatchObject({ reason: 'answered at the terminal' });
  });

  it('of an unknown form is left to the terminal at once, and asks nobody', async () => {
    const payload = ask({ ...inSession(), tool_input: { questions: [] } });
    await send(payload);
    expect(await requestsOf(payload.session_id)).toEqual([]);
  });

  it('is not answered by a rule that allows everything, and denied by one that denies it', async () => {
    const admin = { authorization: `Bearer ${await issueKey(database, 'admin', 'maria', 'maria')}` };
    const apply = async (decision: string) => {
      const url = `${app.url}/api/policy`;
      const { version } = (await (await fetch(url, { headers: admin })).json()) as { version: string | null };
      const replaces = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
      const headers = { ...admin, 'content-type': 'application/yaml', ...replaces };
      const rule = `{ id: questions, decision: ${decision}, match: { key: "*", tool: AskUserQuestion } }`;
      const body = `version: 1\nrules:\n  - ${rule}\n`;
      expect((await fetch(url, { method: 'PUT', headers, body })).status).toBe(200);
    };
    await until(
      'the key works',
      async () => (await fetch(`${app.url}/api/policy`, { headers: admin })).status === 200,
    );
    await apply('allow');
    const { call, request } = await asked(ask(inSession()));
    expect(request).toMatchObject({
      status: 'pending',
      policy: { decision: 'ask', doubt: 'a rule cannot answer a question' },
    });
    await api.answer(request.id, { 'Which database?': ['SQLite'] });
    await call.answer;
    await apply('deny');
    const denied = await callHook(app.url, ask(inSession()));
    expect(verdictOf(await denied.answer)).toMatchObject({ allow: false });
    await database.query(`delete from policy_activations`);
    await database.query(`update policy_state set active_version = null`);
  });
});
