import { ADAPTERS } from '../../src/agents/adapters';
import { AGENT_CALLS, askAs, type AgentCalls } from '../support/agent-calls';
import { Api, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let database: TestDatabase;
let app: OpenApp;
let api: Api;
let admin: string;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  const operator = await issueKey(database, 'operator', 'olga', 'olga');
  app = await openTestApp(database.url);
  api = new Api(app.url, { agent: AGENT_KEY, operator });
  await keyIs(true, app.url, admin);
  await keyIs(true, app.url, operator);
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

let commands = 0;
const newCommand = (): string => `make target-${++commands}`;

const requestsFor = async (command: string): Promise<ApprovalJson[]> =>
  (await api.list('limit=200')).filter(({ toolInput }) => toolInput.command === command);

/** The only request for this command. */
const requestFor = (command: string): Promise<ApprovalJson> =>
  until(`a request for ${command}`, async () => (await requestsFor(command))[0]);

async function applyPolicy(document: string): Promise<void> {
  const authorization = `Bearer ${admin}`;
  const url = `${app.url}/api/policy`;
  const { version } = (await (await fetch(url, { headers: { authorization } })).json()) as {
    version: string | null;
  };
  const replaces = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
  const headers = { authorization, 'content-type': 'application/yaml', ...replaces };
  const { status } = await fetch(url, { method: 'PUT', headers, body: document });
  expect(status).toBe(200);
}

it('covers every adapter', () => {
  const covered = new Set(AGENT_CALLS.map(({ connector }) => connector));
  expect(ADAPTERS.map(({ connector }) => connector).filter((name) => !covered.has(name))).toEqual([]);
});

describe.each(AGENT_CALLS.map((agent) => [agent.name, agent] as const))(
  'an agent that asks by %s',
  (_name, agent: AgentCalls) => {
    const sessionOf = (key = AGENT_KEY) => agent.session(app.url, key);
    const begin = async (command: string, session?: string) =>
      askAs(agent, app.url, { command, session: session ?? (await sessionOf()) });

    it('goes on after an approval', async () => {
      const command = newCommand();
      const { verdict } = await begin(command);
      await api.decide((await requestFor(command)).id, 'approved');
      expect(await verdict).toMatchObject({ allow: true });
    });

    it('does not go on after a rejection, and reads the reason', async () => {
      const command = newCommand();
      const { verdict } = await begin(command);
      await api.decide((await requestFor(command)).id, 'rejected', 'not on a Friday');
      expect(await verdict).toEqual({
        allow: false,
        message: expect.stringContaining('not on a Friday') as string,
      });
    });

    it('is denied when nobody answered in time', async () => {
      const command = newCommand();
      const { verdict } = await begin(command);
      const { id } = await requestFor(command);
      await database.query(`update approvals set expires_at = now() where id = $1`, [id]);
      await app.sweeper.sweep();
      expect(await verdict).toEqual({
        allow: false,
        message: expect.stringContaining('nobody answered') as string,
      });
    });

    if (agent.hasDeadline)
      it('is denied at its deadline, and the same call joins the request', async () => {
        const command = newCommand();
        const session = await sessionOf();
        const body = JSON.stringify(agent.body(command, session));
        const headers = { 'countersign-wait-seconds': '1' };
        const { verdict } = askAs(agent, app.url, { session, body, headers });
        expect(await verdict).toEqual({
          allow: false,
          message: expect.stringContaining('nobody has answered yet') as string,
        });
        const again = askAs(agent, app.url, { session, body });
        await api.decide((await requestFor(command)).id, 'approved');
        expect(await again.verdict).toMatchObject({ allow: true });
        expect(await requestsFor(command)).toHaveLength(1);
      });

    it('is denied with a wrong key', async () => {
      const key = 'wrong'.repeat(10);
      const { verdict } = askAs(agent, app.url, { session: await sessionOf(), key });
      expect(await verdict).toMatchObject({ allow: false });
    });

    it('is denied when its key is revoked while it waits', async () => {
      const name = `revoked-${++commands}`;
      const key = await issueKey(database, 'agent', name);
      await keyIs(true, app.url, key);
      const command = newCommand();
      const { verdict } = askAs(agent, app.url, { command, key, session: await sessionOf(key) });
      await requestFor(command);
      await revokeKey(database, name);
      expect(await verdict).toMatchObject({ allow: false });
    });

    it.each([
      ['is cut off', (body: string) => body.slice(0, -1)],
      [
        'has one member twice',
        (body: string) => body.replace(/\\?"command\\?":/, '$&"ls",$&').replace('"ls",\\"', '\\"ls\\",\\"'),
      ],
      [
        'names a tool that is too long',
        (body: string) => body.replaceAll(`"${agent.tool}"`, `"${'x'.repeat(300)}"`),
      ],
    ])('is denied when its body %s', async (_what, spoil) => {
      const session = await sessionOf();
      const body = spoil(JSON.stringify(agent.body(newCommand(), session)));
      expect(await askAs(agent, app.url, { session, body }).verdict).toMatchObject({ allow: false });
    });

    it('is asked for two equal calls at one time twice, and each has its own answer', async () => {
      const command = newCommand();
      const session = await sessionOf();
      const both = [await begin(command, session), await begin(command, session)];
      const requests = await until('two requests', async () => {
        const found = await requestsFor(command);
        return found.length === 2 && found;
      });
      await api.decide(requests[0]?.id ?? '', 'approved');
      await api.decide(requests[1]?.id ?? '', 'rejected');
      const verdicts = await Promise.all(both.map(({ verdict }) => verdict));
      expect(verdicts.filter(({ allow }) => allow)).toHaveLength(1);
    });

    it('is asked anew for what was answered before, in its own session and in another', async () => {
      const command = newCommand();
      const session = await sessionOf();
      for (const [at, asking] of [session, session, await sessionOf()].entries()) {
        const { verdict } = await begin(command, asking);
        const requests = await until('one more request', async () => {
          const found = await requestsFor(command);
          return found.length === at + 1 && found;
        });
        expect(requests[0]?.status).toBe('pending');
        await api.decide(requests[0]?.id ?? '', 'approved');
        expect(await verdict).toMatchObject({ allow: true });
      }
    });

    it('has each invisible character of its command shown and bound', async () => {
      const command = `${newCommand()} \u200b\u202e\u{e0041}"'\\\u0000 ${'x'.repeat(20_000)}`;
      const { verdict } = await begin(command);
      await api.decide((await requestFor(command)).id, 'approved');
      expect(await verdict).toMatchObject({ allow: true });
    });

    it('goes on by a rule, is denied by a rule with its words, and by a grant goes on without a second tap', async () => {
      const [allowed, denied, granted] = [newCommand(), newCommand(), `npm run ${newCommand().slice(5)}`];
      const argv = (command: string) => `[${command.replace(' ', ', ')}]`;
      await applyPolicy(`version: 1
rules:
  - { id: allowed, decision: allow, match: { key: "*", tool: ${agent.tool}, command: { argv: ${argv(allowed)} } } }
  - { id: denied, decision: deny, match: { command: { mentions: [${argv(denied)}] } }, say: No such target. }
`);
      const session = await sessionOf();
      expect(await (await begin(allowed, session)).verdict).toMatchObject({ allow: true });
      expect(await (await begin(denied, session)).verdict).toEqual({
        allow: false,
        message: expect.stringContaining('No such target.') as string,
      });
      const { verdict } = await begin(granted, session);
      const { id } = await requestFor(granted);
      const { body } = await api.call<{ offers: { id: string; scope: string }[] }>(
        'operator',
        'GET',
        `/api/approvals/${id}/grant-offers`,
      );
      const offer = body.offers[0]?.id;
      expect((await api.call('operator', 'POST', '/api/grants', { approvalId: id, offer })).status).toBe(201);
      expect(await verdict).toMatchObject({ allow: true });
      expect(await (await begin(granted, session)).verdict).toMatchObject({ allow: true });
      expect((await requestsFor(granted)).map(({ decision }) => decision?.by.kind)).toEqual(['grant', 'api']);
    });
  },
);

describe('a tool that only reads', () => {
  /** Ways to ask for it, by the names of agent and tool. */
  const reading: readonly [connector: string, tool: string, of: (file: string) => object][] = [
    [
      'claude-code/hook',
      'Read',
      (file) => ({
        ...{
          hook_event_name: 'PreToolUse',
          session_id: 'reads',
          cwd: '/srv/shop',
          permission_mode: 'default',
        },
        ...{ tool_name: 'Read', tool_input: { file_path: file }, tool_use_id: file },
      }),
    ],
    [
      'copilot/hook',
      'view',
      (file) => ({
        sessionId: 'reads',
        timestamp: 1,
        cwd: '/srv/shop',
        toolName: 'view',
        toolArgs: { path: file },
      }),
    ],
    [
      'mcp',
      'Read',
      (file) => ({
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: {
          name: 'gate',
          arguments: {
            session_id: 'reads',
            tool_name: 'Read',
            tool_input: { file_path: file },
            cwd: '/srv/shop',
          },
        },
      }),
    ],
  ];

  it.each(reading)(
    'is left to the agent at %s, unless a rule denies it or asks by its name',
    async (path, tool, of) => {
      const ask = async (file: string) => {
        const headers = {
          authorization: `Bearer ${AGENT_KEY}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'countersign-wait-seconds': '1',
        };
        const body = JSON.stringify(of(file));
        const answer = await fetch(`${app.url}/connectors/${path}`, { method: 'POST', headers, body });
        return answer.text();
      };
      const count = async () =>
        (await api.list('limit=200')).filter(({ sessionId }) => sessionId === 'reads').length;
      await applyPolicy(`version: 1
rules:
  - { id: everything-here, decision: ask, match: { cwd: /srv/** }, class: critical }
  - { id: secrets, decision: deny, match: { path: "**/.env" }, say: Never that file. }
  - { id: keys, decision: ask, match: { tool: [${tool}], path: "**/*.pem" } }
`);
      const before = await count();
      expect(await ask('/srv/shop/README.md')).not.toMatch(/permissionDecision/);
      expect(await count()).toBe(before);
      expect(await ask('/srv/shop/.env')).toMatch(/permissionDecision.*deny.*Never that file/);
      expect(await ask('/srv/shop/tls.pem')).toMatch(/permissionDecision.*deny.*nobody has answered yet/);
      expect(await count()).toBe(before + 2);
    },
  );
});

it('denies every agent that waits when the service stops', async () => {
  const other = await openTestApp(database.url);
  const waiting = await Promise.all(
    AGENT_CALLS.map(async (agent) => {
      const command = newCommand();
      const call = askAs(agent, other.url, { command, session: await agent.session(other.url, AGENT_KEY) });
      await requestFor(command);
      return call;
    }),
  );
  await until('all wait', () => other.feed.size === waiting.length);
  await other.close();
  for (const { verdict } of waiting)
    expect(await verdict).toEqual({ allow: false, message: expect.stringContaining('restarting') as string });
});
