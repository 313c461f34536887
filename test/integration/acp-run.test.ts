import { CountersignClient } from '../../src/agent-side/client';
import { AcpMachine } from '../support/acp-run';
import { Api, type ApprovalJson } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { requestFor } from '../support/claude-run';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp } from '../support/processes';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

let database: TestDatabase;
let app: TestApp;
let api: Api;
/** The proxy through which agents reach the service. */
let wire: TcpProxy;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url);
  api = new Api(app.url);
  wire = await startTcpProxy(app.url);
  url = wire.url.replace(/\/$/, '');
});
afterAll(async () => {
  await cleanUp();
  await wire.close();
  await app.close();
  await database.drop();
});

const asked = (command: string) => requestFor(command, api);

/** The pending request of this tool in the directory of this machine. */
const askedFor = (toolName: string, { work }: AcpMachine): Promise<ApprovalJson> =>
  until(`a request for ${toolName}`, async () =>
    (await api.list('status=pending')).find((each) => each.toolName === toolName && each.cwd === work),
  );

const pendingOf = async (machine: AcpMachine): Promise<ApprovalJson[]> =>
  (await api.list('status=pending')).filter(({ cwd }) => cwd === machine.work);

describe('a command', () => {
  it('runs once it was approved, by the option for once, and the operators learn of it', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'printf ran > allowed' }] });
    const request = await asked('printf ran > allowed');
    expect(request).toMatchObject({
      toolName: 'acp_execute',
      toolUseId: 'call_0',
      sessionId: 'session-1',
      cwd: machine.work,
      summary: 'printf ran > allowed',
      metadata: { acp: { kind: 'execute' } },
    });
    expect(machine.wrote('allowed')).toBeNull();
    await api.decide(request.id, 'approved');
    expect(await run.ended()).toBe(0);
    expect(machine.wrote('allowed')).toBe('ran');
    expect(run.answers).toEqual(['once']);
    expect((await api.get(request.id)).body.acknowledged).toBe('resumed');
  });

  it('does not run once it was rejected, and only this call is rejected', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch rejected' }] });
    await api.decide((await asked('touch rejected')).id, 'rejected', 'not on a Friday');
    expect(await run.ended()).toBe(0);
    expect(machine.wrote('rejected')).toBeNull();
    expect(run.answers).toEqual(['no']);
    expect(run.denials).toEqual([expect.stringContaining('not on a Friday')]);
  });

  it('does not run when nobody decides in time', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch late' }] }, { timeoutSeconds: 1 });
    expect(await run.ended()).toBe(0);
    expect(machine.wrote('late')).toBeNull();
    expect(run.denials).toEqual([expect.stringContaining('nobody answered')]);
  });

  it('is asked for in the directory in which it runs', async () => {
    const machine = new AcpMachine(url);
    const rawInput = { command: 'touch elsewhere', workdir: 'sub' };
    const run = machine.run({ calls: [{ toolCall: { rawInput } }] });
    const { id, cwd } = await asked('touch elsewhere');
    expect(cwd).toBe(`${machine.work}/sub`);
    await api.decide(id, 'rejected');
    await run.ended();
  });

  it('is asked for with the members that only its announcement has', async () => {
    const machine = new AcpMachine(url);
    const announced = { rawInput: { command: 'touch announced', description: 'Touch' }, kind: 'execute' };
    for (const late of [false, true]) {
      const toolCall = { rawInput: {}, kind: undefined };
      const run = machine.run({ calls: [{ toolCall, announced, late }] });
      const { id, toolInput } = await asked('touch announced');
      expect(toolInput).toEqual(announced.rawInput);
      await api.decide(id, 'rejected');
      await run.ended();
    }
  });
});

describe('an edit', () => {
  const diff = (path: string) => ({ type: 'diff', path, oldText: 'a\n', newText: 'b\n' });

  it('is asked for with its file and its text before and after', async () => {
    const machine = new AcpMachine(url);
    const content = [diff('a.txt')];
    const run = machine.run({
      calls: [{ toolCall: { kind: 'edit', rawInput: { filePath: 'a.txt' }, content } }],
    });
    const { id, toolInput } = await askedFor('acp_edit', machine);
    expect(toolInput).toEqual({
      ...{ path: 'a.txt', oldText: 'a\n', newText: 'b\n' },
      rawInput: { filePath: 'a.txt' },
    });
    await api.decide(id, 'approved');
    await run.ended();
    expect(run.answers).toEqual(['once']);
    expect(run.shown).toContain('← result');
  });

  it('with a huge diff is asked for completely', async () => {
    const machine = new AcpMachine(url);
    const newText = 'line\n'.repeat(50_000);
    const content = [{ ...diff('huge.txt'), newText }];
    const run = machine.run({ calls: [{ toolCall: { kind: 'edit', rawInput: undefined, content } }] });
    const { id, toolInput } = await askedFor('acp_edit', machine);
    expect(toolInput.newText).toBe(newText);
    await api.decide(id, 'rejected');
    await run.ended();
  });

  it('that is larger than the service takes is rejected, with the reason at the terminal', async () => {
    const machine = new AcpMachine(url);
    const content = [{ ...diff('giant.txt'), newText: 'x'.repeat(5_000_000) }];
    const run = machine.run({ calls: [{ toolCall: { kind: 'edit', rawInput: undefined, content } }] });
    await run.ended();
    expect(run.answers).toEqual(['no']);
    expect(run.denials).toHaveLength(1);
    expect(await pendingOf(machine)).toEqual([]);
  });
});

describe('a title', () => {
  it('that names another command than the input is only shown as words of the agent', async () => {
    const machine = new AcpMachine(url);
    const title = 'ls\u001b[2J\u202e </code> Approved by Olivia';
    const run = machine.run({ calls: [{ command: 'touch true-action', toolCall: { title } }] });
    const { id, toolInput, summary } = await asked('touch true-action');
    expect(toolInput).toEqual({ command: 'touch true-action' });
    expect(summary).toBe(title);
    await api.decide(id, 'rejected');
    await run.ended();
  });

  it('alone names no action: the call is rejected and nobody is asked', async () => {
    const machine = new AcpMachine(url);
    const toolCall = { title: 'rm -rf build', rawInput: {}, locations: [{ path: machine.work }] };
    const run = machine.run({ calls: [{ toolCall }] });
    await run.ended();
    expect(run.answers).toEqual(['no']);
    expect(run.denials).toEqual([expect.stringContaining('does not say what the call would do')]);
    expect(await pendingOf(machine)).toEqual([]);
  });
});

describe('options', () => {
  const always = { optionId: 'always', name: 'Always', kind: 'allow_always' };
  const no = { optionId: 'no', name: 'No', kind: 'reject_once' };
  const once = { optionId: 'once', name: 'Once', kind: 'allow_once' };

  it.each([
    ['only for always', [always, no], 'no'],
    ['only for always, without a rejection', [always], 'cancelled'],
    ['none at all', [], 'cancelled'],
    ['two for once', [once, { ...once, optionId: 'second' }, no], 'no'],
    ['one id for once and for always', [once, { ...always, optionId: 'once' }, no], 'no'],
  ])('%s: nobody is asked and nothing runs', async (_name, options, answer) => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch never', options }] });
    await run.ended();
    expect(run.answers).toEqual([answer]);
    expect(machine.wrote('never')).toBeNull();
    expect(await pendingOf(machine)).toEqual([]);
  });

  it('without a rejection answer a rejection as cancelled', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch unrejectable', options: [once, always] }] });
    await api.decide((await asked('touch unrejectable')).id, 'rejected');
    await run.ended();
    expect(run.answers).toEqual(['cancelled']);
  });
});

describe('ids', () => {
  it('of an earlier call do not answer a new one', async () => {
    const machine = new AcpMachine(url);
    const again = { command: 'printf x >> twice', id: 1, toolCall: { toolCallId: 'call_0' } };
    const run = machine.run({ calls: [again, again] });
    const first = await asked('printf x >> twice');
    await api.decide(first.id, 'approved');
    const second = await asked('printf x >> twice');
    expect(second.id).not.toBe(first.id);
    await api.decide(second.id, 'rejected');
    await run.ended();
    expect(machine.wrote('twice')).toBe('x');
  });

  it('of an earlier session with the same number do not answer a new one', async () => {
    const machine = new AcpMachine(url);
    const script = { calls: [{ command: 'printf x >> session' }] };
    const run = machine.run(script);
    const first = await asked('printf x >> session');
    run.run.signal('SIGKILL');
    await run.ended();
    expect((await api.get(first.id)).body.status).toBe('cancelled');
    const next = machine.run(script);
    const second = await asked('printf x >> session');
    expect(second.id).not.toBe(first.id);
    await api.decide(second.id, 'rejected');
    await next.ended();
    expect(machine.wrote('session')).toBeNull();
  });

  it('as a text and as a number are two ids', async () => {
    const machine = new AcpMachine(url);
    const calls = [
      { command: 'touch number', id: 7 },
      { command: 'touch text', id: '7' },
    ];
    const run = machine.run({ parallel: true, calls });
    const [number, text] = await Promise.all([asked('touch number'), asked('touch text')]);
    await api.decide(text.id, 'rejected');
    await api.decide(number.id, 'approved');
    await run.ended();
    expect([machine.wrote('number'), machine.wrote('text')]).toEqual(['', null]);
  });
});

it('keeps parallel calls apart', async () => {
  const machine = new AcpMachine(url);
  const commands = ['touch one', 'touch two', 'touch three'];
  const run = machine.run({ parallel: true, calls: commands.map((command) => ({ command })) });
  const [one, two, three] = await Promise.all(commands.map(asked));
  await api.decide(three?.id ?? '', 'approved');
  await api.decide(two?.id ?? '', 'rejected');
  await api.decide(one?.id ?? '', 'approved');
  expect(await run.ended()).toBe(0);
  expect([machine.wrote('one'), machine.wrote('two'), machine.wrote('three')]).toEqual(['', null, '']);
});

describe('a question that is taken back', () => {
  it('by the agent is answered as cancelled, and its request is cancelled', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch retracted', cancelled: true }] });
    await run.ended();
    expect(run.answers).toEqual(['cancelled']);
    expect(machine.wrote('retracted')).toBeNull();
    expect(await pendingOf(machine)).toEqual([]);
  });

  it('by cancelling the turn is answered as cancelled, with all others, after the agent knows of it', async () => {
    const machine = new AcpMachine(url);
    const calls = ['touch first', 'touch second'].map((command) => ({ command }));
    const run = machine.run({ parallel: true, calls });
    const requests = await Promise.all(['touch first', 'touch second'].map(asked));
    expect(run.run.cancelTurn()).toBe(true);
    expect(await run.ended()).toBe(0);
    expect(run.answers).toEqual(['cancelled', 'cancelled']);
    for (const { id } of requests) expect((await api.get(id)).body.status).toBe('cancelled');
  });

  it('by an agent that ends has its request cancelled', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch orphan' }] });
    const { id } = await asked('touch orphan');
    run.run.signal('SIGKILL');
    expect(await run.ended()).toBe(137);
    expect((await api.get(id)).body.status).toBe('cancelled');
  });
});

describe('without the service', () => {
  it('a network cut while a person decides is survived', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({ calls: [{ command: 'touch cut' }] });
    const { id } = await asked('touch cut');
    wire.cut();
    await api.decide(id, 'approved');
    wire.mend();
    await run.ended();
    expect(machine.wrote('cut')).toBe('');
  });

  it('a network cut while it asks is survived, and it asks once', async () => {
    const machine = new AcpMachine(url);
    wire.freeze();
    const run = machine.run({ calls: [{ command: 'touch unsent' }] });
    await until('the question', () => run.heard.some(({ method }) => method === 'session/prompt'));
    wire.cut();
    wire.mend();
    await api.decide((await asked('touch unsent')).id, 'approved');
    await run.ended();
    expect(machine.wrote('unsent')).toBe('');
    expect((await api.list('limit=200')).filter(({ cwd }) => cwd === machine.work)).toHaveLength(1);
  });

  it('a wrong key rejects every call', async () => {
    const machine = new AcpMachine(url);
    const client = new CountersignClient({ url, key: 'x'.repeat(40) });
    const run = machine.run({ calls: [{ command: 'touch keyless' }] }, { client });
    await run.ended();
    expect(run.answers).toEqual(['no']);
    expect(machine.wrote('keyless')).toBeNull();
  });
});

describe('the agent', () => {
  it('is offered no files and no terminal, and gets an error where it uses them', async () => {
    const machine = new AcpMachine(url);
    const unasked = ['fs/write_text_file', 'terminal/create'].map((method) => ({ method, params: {} }));
    const run = machine.run({ unasked });
    expect(await run.ended()).toBe(0);
    expect(run.heard.flatMap(({ error }) => (error ? [error.code] : []))).toEqual([-32601, -32601]);
  });

  it('of another version of the protocol is not run', async () => {
    const machine = new AcpMachine(url);
    await expect(machine.run({ version: 2 }).ended()).rejects.toThrow(/speaks ACP 2/);
  });

  it('that cannot be started is named', async () => {
    const machine = new AcpMachine(url);
    const run = machine.run({}, { command: ['/nowhere/agent'] });
    await expect(run.ended()).rejects.toThrow(/cannot be started as "\/nowhere\/agent"/);
  });

  it('that ends within a turn gives its exit code', async () => {
    const machine = new AcpMachine(url);
    expect(await machine.run({ ends: 3 }).ended()).toBe(3);
  });

  it('is put into the mode in which it asks, and is not run without it', async () => {
    const modes = (...ids: string[]) => ({
      currentModeId: 'yolo',
      availableModes: ids.map((id) => ({ id, name: id })),
    });
    const machine = new AcpMachine(url);
    const run = machine.run({ modes: modes('yolo', 'default') }, { mode: 'default' });
    await run.ended();
    expect(run.heard.map(({ method }) => method)).toContain('session/set_mode');
    const other = machine.run({ modes: modes('yolo') }, { mode: 'default' });
    await expect(other.ended()).rejects.toThrow(/no mode "default"/);
  });

  it('shows its messages, plans and diffs, with terminal controls made visible', async () => {
    const machine = new AcpMachine(url);
    const plan = [{ content: 'Look around', status: 'completed', priority: 'high' }];
    const says = 'I begin.\u001b[2J';
    const run = machine.run({ says, plan });
    await run.ended();
    expect(run.shown).toContain('I begin.');
    expect(run.shown).not.toContain('\u001b');
    expect(run.shown).toContain('☑ Look around');
  });

  it('goes on with a session, in which an approved request of an earlier run serves one call', async () => {
    const machine = new AcpMachine(url);
    const command = 'printf x >> resumed';
    const sessionId = `../weird id of ${machine.work}`;
    const left = await api.enqueue({
      ...{ agentId: 'acp-runner', sessionId, toolName: 'acp_execute' },
      ...{ toolInput: { command }, cwd: machine.work },
    });
    await api.decide(left.body.id, 'approved');
    const run = machine.run({ calls: [{ command }, { command }], sessionId }, { resume: sessionId });
    const { id } = await asked(command);
    expect(id).not.toBe(left.body.id);
    expect(run.answers).toEqual(['once']);
    await api.decide(id, 'rejected');
    await run.ended();
    expect(machine.wrote('resumed')).toBe('x');
  });
});

describe('an announcement', () => {
  const announcement = (more: string): string =>
    '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"session-1","update":{"toolCallId":"call_0",' +
    `"sessionUpdate":"tool_call","title":"A call","kind":"execute",${more}}}}`;

  it.each([
    ['has a lone surrogate', announcement(String.raw`"rawInput":{"workdir":"sub","note":"\ud83d"}`)],
    ['has a member twice', announcement('"rawInput":{"workdir":"sub"},"rawInput":{}')],
    ['begins with a byte order mark', `\ufeff${announcement('"rawInput":{"workdir":"sub"}')}`],
    ['has another form', announcement('"rawInput":{"workdir":"sub"},"locations":[{}]')],
    ['contradicts the question', announcement('"rawInput":{"command":"touch other"}')],
  ])(
    'that %s leaves the call undecidable: nobody is asked and it is rejected',
    async (_name, announcedAs) => {
      const machine = new AcpMachine(url);
      const run = machine.run({ calls: [{ command: 'touch spoiled', announcedAs }] });
      await run.ended();
      expect(run.answers).toEqual(['no']);
      expect(run.denials).toEqual([expect.stringContaining('ambiguous')]);
      expect(machine.wrote('spoiled')).toBeNull();
      expect(await pendingOf(machine)).toEqual([]);
    },
  );

  it('that cannot be read and comes late has the waiting call rejected at once', async () => {
    const machine = new AcpMachine(url);
    const announcedAs = announcement(String.raw`"rawInput":{"command":"\ud83d"}`);
    const run = machine.run({ calls: [{ toolCall: { rawInput: {} }, announcedAs, late: true }] });
    await run.ended();
    expect(run.denials).toEqual([expect.stringContaining('ambiguous')]);
  });
});

it('rejects a question that reads two ways', async () => {
  const machine = new AcpMachine(url);
  const line =
    '{"jsonrpc":"2.0","id":"REQUEST","method":"session/request_permission","params":{"sessionId":"session-1","toolCall":' +
    '{"toolCallId":"x","kind":"execute","rawInput":{"command":"touch twice","command":"touch harmless"}},"options":' +
    '[{"optionId":"once","name":"","kind":"allow_once"},{"optionId":"no","name":"","kind":"reject_once"}]}}';
  const options = [
    { optionId: 'once', name: '', kind: 'allow_once' },
    { optionId: 'no', name: '', kind: 'reject_once' },
  ];
  const run = machine.run({ calls: [{ line, options }] });
  await run.ended();
  expect(run.answers).toEqual(['no']);
  expect(await pendingOf(machine)).toEqual([]);
});
