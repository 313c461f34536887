import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { ApprovalJson } from '../support/api';
import { issueKey, keyIs } from '../support/keys';
import { ownService } from '../support/own-service';
import { CHECKOUT, cleanUp } from '../support/processes';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

const PROGRAM = join(CHECKOUT, 'dist/src/cli/countersign-agent.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** The reaction of a real agent to the end of its hook. */
interface Judge {
  readonly input: (command: string) => object;
  /** The decision, and the text for the model. */
  readonly judge: (ended: Ended) => { readonly runs: boolean; readonly text: string };
}

const FORMS: Readonly<Record<string, Judge>> = {
  gemini: {
    input: (command) => ({
      session_id: 'session-1',
      transcript_path: '/tmp/t',
      cwd: '/srv/shop',
      hook_event_name: 'BeforeTool',
      timestamp: '2026-03-04T12:00:00Z',
      tool_name: 'run_shell_command',
      tool_input: { command },
    }),
    // As hookRunner of Gemini CLI 0.61.0: JSON of either stream decides, else a text by the exit code.
    judge: ({ code, stdout, stderr }) => {
      const text = stdout.trim() || stderr.trim();
      try {
        const { decision, reason = '' } = JSON.parse(text) as { decision?: string; reason?: string };
        return { runs: decision !== 'deny', text: reason };
      } catch {
        return { runs: text === '' || (code ?? 0) < 2, text };
      }
    },
  },
  cursor: {
    input: (command) => ({
      conversation_id: 'conversation-1',
      generation_id: 'generation-1',
      hook_event_name: 'beforeShellExecution',
      workspace_roots: ['/srv/shop'],
      cwd: '',
      command,
    }),
    // As its documents say, without failClosed.
    judge: ({ code, stdout, stderr }) => {
      if (code === 2) return { runs: false, text: stderr };
      try {
        const { permission, agent_message: text = '' } = JSON.parse(stdout) as Record<string, string>;
        return { runs: permission !== 'deny', text };
      } catch {
        return { runs: true, text: '' };
      }
    },
  },
  shell: {
    input: (command) => ({ command }),
    judge: ({ code, stderr }) => ({ runs: code !== 2 || stderr.trim() === '', text: stderr }),
  },
};

const service = ownService();
afterAll(cleanUp);

function start(
  name: string,
  /** Null: the agent writes nothing and leaves the input open. */
  input: string | Buffer | null,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = { COUNTERSIGN_KEY: AGENT_KEY },
): Run {
  const child = spawn(process.execPath, [PROGRAM, 'hook', name, ...args], {
    env: { PATH: process.env.PATH, COUNTERSIGN_URL: service.app.url, ...env },
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  child.stdin.on('error', () => undefined);
  if (input !== null) child.stdin.end(input);
  const ended = new Promise<Ended>((done) =>
    child.once('close', (code) => done({ code, stdout: out.join(''), stderr: err.join('') })),
  );
  return { child, ended };
}

const requestsFor = async (command: string): Promise<ApprovalJson[]> =>
  (await service.api.list('limit=200')).filter(({ toolInput }) => toolInput.command === command);

let commands = 0;
const newCommand = () => `make target-${++commands}`;

describe.each(Object.entries(FORMS))('countersign hook %s', (name, { input, judge }) => {
  const begin = (command: string, ...more: [(readonly string[])?, Record<string, string>?]) =>
    start(name, JSON.stringify(input(command)), ...more);
  const asked = (command: string) =>
    until(`a request for ${command}`, async () => (await requestsFor(command))[0]);

  it('lets the tool run after an approval, and reports that the agent goes on', async () => {
    const command = newCommand();
    const { ended } = begin(command);
    const { id } = await asked(command);
    await service.api.decide(id, 'approved');
    expect(judge(await ended).runs).toBe(true);
    expect((await service.api.get(id)).body.acknowledged).toBe('resumed');
  });

  it('denies after a rejection, with the reason', async () => {
    const command = newCommand();
    const { ended } = begin(command);
    await service.api.decide((await asked(command)).id, 'rejected', 'not on a Friday');
    const { runs, text } = judge(await ended);
    expect([runs, text]).toEqual([false, expect.stringContaining('not on a Friday')]);
  });

  it('denies when nobody answered in time, and says that nobody said no', async () => {
    const { runs, text } = judge(await begin(newCommand(), ['--wait', '1']).ended);
    expect([runs, text]).toEqual([false, expect.stringMatching(/nobody answered.*nobody said no/is)]);
  });

  it.each<[string, string[], Record<string, string>]>([
    ['with a wrong key', [], { COUNTERSIGN_KEY: 'wrong'.repeat(10) }],
    ['without a key', [], {}],
    ['with an address that is none', ['--url', 'nowhere'], { COUNTERSIGN_KEY: AGENT_KEY }],
    ['with a wait that no timer holds', ['--wait', '99999999999'], { COUNTERSIGN_KEY: AGENT_KEY }],
    ['with an option that it does not know', ['--unknown'], { COUNTERSIGN_KEY: AGENT_KEY }],
    [
      'while the service is away',
      ['--url', 'http://127.0.0.1:1', '--wait', '1'],
      { COUNTERSIGN_KEY: AGENT_KEY },
    ],
  ])('denies %s', async (_what, args, env) => {
    const { runs, text } = judge(await begin(newCommand(), args, env).ended);
    expect([runs, text.trim()]).toEqual([false, expect.stringMatching(/./)]);
  });

  it.each([
    ['is empty', ''],
    ['is not JSON', 'make deploy'],
    ['is a list', '[]'],
    ['has one member twice', '{"command":"ls","command":"make deploy"}'],
  ])('denies when its input %s', async (_what, text) => {
    expect(judge(await start(name, text).ended).runs).toBe(false);
  });

  it('denies when a text of its input is not valid UTF-8, which operators would see as another text', async () => {
    const bytes = Buffer.from(JSON.stringify(input('make deploy-\u00ff\u00fe')), 'latin1');
    const { runs, text } = judge(await start(name, bytes, ['--wait', '1']).ended);
    expect([runs, text]).toEqual([false, expect.stringContaining('not valid UTF-8')]);
  });

  it('denies and cancels the request when it is interrupted', async () => {
    const command = newCommand();
    const { child, ended } = begin(command);
    const { id } = await asked(command);
    child.kill('SIGTERM');
    expect(judge(await ended).runs).toBe(false);
    expect((await service.api.get(id)).body).toMatchObject({
      status: 'cancelled',
      reason: 'the hook was interrupted',
    });
  });

  it('asks for two equal calls at one time twice, each with its own answer', async () => {
    const command = newCommand();
    const both = [begin(command), begin(command)];
    const requests = await until('two requests', async () => {
      const found = await requestsFor(command);
      return found.length === 2 && found;
    });
    await service.api.decide(requests[0]?.id ?? '', 'approved');
    await service.api.decide(requests[1]?.id ?? '', 'rejected');
    const verdicts = (await Promise.all(both.map(({ ended }) => ended))).map((ended) => judge(ended).runs);
    expect(verdicts.toSorted()).toEqual([false, true]);
  });
});

describe('countersign hook gemini', () => {
  const gemini = (more: object) => JSON.stringify({ ...FORMS.gemini?.input('make deploy'), ...more });

  it('denies when Gemini CLI kills it without a chance to answer', async () => {
    const command = newCommand();
    const { child, ended } = start('gemini', JSON.stringify(FORMS.gemini?.input(command)));
    await until('the request', async () => (await requestsFor(command))[0]);
    child.kill('SIGKILL');
    expect(FORMS.gemini?.judge(await ended).runs).toBe(false);
  });

  it('takes the names that stay in an environment from which keys are removed', async () => {
    const command = newCommand();
    const env = { GEMINI_CLI_COUNTERSIGN_KEY: AGENT_KEY };
    const { ended } = start('gemini', JSON.stringify(FORMS.gemini?.input(command)), [], env);
    const { id } = await until('the request', async () => (await requestsFor(command))[0]);
    await service.api.decide(id, 'approved');
    expect((await ended).stdout).toBe('{"decision":"allow"}\n');
  });

  it('decides nothing about a tool that only reads', async () => {
    const { ended } = start('gemini', gemini({ tool_name: 'read_file', tool_input: { file_path: 'a' } }));
    expect(await ended).toMatchObject({ code: 0, stdout: '{}\n' });
  });

  it('asks about a tool that only reads where a rule denies it or asks by its name', async () => {
    const admin = await issueKey(service.database, 'admin', 'maria', 'maria');
    await keyIs(true, service.app.url, admin);
    const document = `version: 1
rules:
  - { id: everything-here, decision: ask, match: { cwd: /srv/** }, class: critical }
  - { id: secrets, decision: deny, match: { path: "**/.env" }, say: Never that file. }
  - { id: keys, decision: ask, match: { tool: [read_file], path: "**/*.pem" } }
`;
    const headers = {
      ...{ authorization: `Bearer ${admin}`, 'content-type': 'application/yaml' },
      'if-none-match': '*',
    };
    const put = { method: 'PUT', headers, body: document };
    expect((await fetch(`${service.app.url}/api/policy`, put)).status).toBe(200);
    const read = async (file: string): Promise<string> => {
      const input = gemini({ tool_name: 'read_file', tool_input: { file_path: file } });
      return (await start('gemini', input, ['--wait', '1']).ended).stdout;
    };
    expect(await read('README.md')).toBe('{}\n');
    expect(await read('.env')).toMatch(/"deny".*Never that file/);
    expect(await read('keys/tls.pem')).toMatch(/"deny".*nobody answered/);
    const asked = (await service.api.list('limit=200')).filter(({ toolName }) => toolName === 'read_file');
    expect(asked.map(({ toolInput }) => toolInput.file_path)).toEqual(['keys/tls.pem', '.env']);
  });

  it('denies a tool that only reads while the rules cannot be asked for', async () => {
    const input = gemini({ tool_name: 'read_file', tool_input: { file_path: 'a' } });
    const { stdout } = await start('gemini', input, ['--url', 'http://127.0.0.1:1', '--wait', '1']).ended;
    expect(stdout).toMatch(/"deny"/);
  });

  it('denies for an event that asks nothing', async () => {
    const { ended } = start('gemini', gemini({ hook_event_name: 'AfterTool' }));
    expect(FORMS.gemini?.judge(await ended).runs).toBe(false);
  });
});

describe('countersign hook cursor', () => {
  it('asks for a tool of an MCP server with the server as a part of the action', async () => {
    const { ended } = start(
      'cursor',
      JSON.stringify({
        conversation_id: 'conversation-2',
        hook_event_name: 'beforeMCPExecution',
        workspace_roots: ['/srv/shop'],
        tool_name: 'pay',
        tool_input: '{"amount":12}',
        url: 'https://bank.example.com/mcp',
      }),
    );
    const request = await until('the request', async () =>
      (await service.api.list('status=pending')).find(({ toolName }) => toolName === 'MCP:pay'),
    );
    expect(request).toMatchObject({
      cwd: '/srv/shop',
      toolInput: { server: 'https://bank.example.com/mcp', arguments: { amount: 12 } },
    });
    await service.api.decide(request.id, 'approved');
    expect(JSON.parse((await ended).stdout)).toEqual({ permission: 'allow' });
  });
});

it('denies in time although the agent leaves the input open', async () => {
  const judge = FORMS.gemini?.judge;
  if (!judge) throw new Error('there is no form of gemini');
  const { runs, text } = judge(await start('gemini', null, ['--wait', '1']).ended);
  expect([runs, text]).toEqual([false, expect.stringContaining('nobody answered in time')]);
});
