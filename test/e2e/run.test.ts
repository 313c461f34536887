import { Api, type ApprovalJson } from '../support/api';
import { AgentMachine, requestFor, type Call } from '../support/claude-run';
import { freePort, processesOf, Service } from '../support/processes';
import { setStage, strike, type Stage } from '../support/stage';

/** The service's, on a machine where it and the agent share an environment. */
const SECRETS = [
  'AGENT_API_KEY',
  'APPROVAL_SIGNING_KEY',
  'DATABASE_LISTEN_URL',
  'DATABASE_MIGRATION_URL',
  'DATABASE_URL',
  'OPERATOR_API_KEY',
  'TELEGRAM_BOT_TOKEN',
  'TELEGRAM_WEBHOOK_SECRET',
];

let stage: Stage;
let service: Service;
let api: Api;
let port: string;

beforeAll(async () => {
  port = String(await freePort());
  stage = await setStage({ PORT: port });
  ({ service, api } = stage);
});
afterAll(strike);

const bash = (command: string): Call => ({ input: { command } });

const asked = (command: string) => requestFor(command, api);

/** The service as it was, after a kill. */
async function startAgain(): Promise<void> {
  service = await Service.start({ ...stage.environment, PORT: port });
}

it('shows what happens, runs what was approved, keeps our keys from the agent and ends with its exit code', async () => {
  const machine = new AgentMachine(service.url);
  const run = machine.runCli(
    { calls: [bash('printf ran > allowed # \u200b\u001b[2J')], exitCode: 3 },
    [],
    Object.fromEntries(
      [...SECRETS, ...SECRETS.map((name) => `${name}_FILE`), 'EDITOR'].map((name) => [name, '/x']),
    ),
  );
  const { id } = await asked('printf ran > allowed # \u200b\u001b[2J');
  await api.decide(id, 'approved');
  expect(await run.ended()).toBe(3);
  expect(machine.wrote('allowed')).toBe('ran');
  expect(run.program.output).toEqual(
    expect.arrayContaining(['  │ printf ran > allowed # \\u{200b}\\u{1b}[2J', 'All done.']),
  );
  for (const hidden of ['\u200b', '\u001b']) expect(run.said).not.toContain(hidden);
  expect(run.said).toContain('approved by');
  expect(run.started.env).toContain('EDITOR');
  const names = new Set(run.started.env);
  expect(
    ['COUNTERSIGN_KEY', ...SECRETS]
      .flatMap((name) => [name, `${name}_FILE`])
      .filter((name) => names.has(name)),
  ).toEqual([]);
});

it('passes SIGTERM on, cancels what is open, ends with the child’s code and leaves nothing running', async () => {
  const machine = new AgentMachine(service.url);
  const run = machine.runCli({ calls: [bash('touch terminated')] });
  const { id } = await asked('touch terminated');
  run.program.signal('SIGTERM');
  expect(await run.ended()).toBe(143);
  expect((await api.get(id)).body.status).toBe('cancelled');
  expect(processesOf(machine.work)).toEqual([]);
});

it('outlives a killed service while it waits, and a service that stays away is no approval', async () => {
  const machine = new AgentMachine(service.url);
  const patient = machine.runCli({ calls: [bash('touch survived')] });
  const forsaken = machine.runCli({ calls: [bash('touch orphaned')] }, ['--timeout', '2']);
  const [{ id, sessionId }] = (await Promise.all([asked('touch survived'), asked('touch orphaned')])) as [
    ApprovalJson & { sessionId: string },
    ApprovalJson,
  ];
  await service.kill();
  expect(await forsaken.ended()).toBe(0);
  expect(forsaken.answers[0]?.message).toMatch(/cannot be reached.*nobody said no/i);
  await startAgain();
  await api.decide(id, 'approved');
  expect(await patient.ended()).toBe(0);
  expect([machine.wrote('survived'), machine.wrote('orphaned')]).toEqual(['', null]);
  expect(await api.list(`sessionId=${sessionId}`)).toHaveLength(1);
});

it('that was killed while it waited leaves an approval for one such call of that session, and for nothing else', async () => {
  const machine = new AgentMachine(service.url);
  const command = 'echo late >> late';
  const killed = machine.runCli({ calls: [bash(command)] });
  const { id } = await asked(command);
  const session = await machine.session();
  await killed.program.kill();
  await api.decide(id, 'approved');

  const others = [
    machine.run({ calls: [bash(command)] }, { timeoutSeconds: 1 }),
    machine.run({ calls: [bash(`${command} `)] }, { resume: session, timeoutSeconds: 1 }),
  ];
  await Promise.all(others.map((other) => other.ended()));
  expect(machine.wrote('late')).toBeNull();

  const resumed = machine.runCli({ calls: [bash(command), bash(command)] }, ['--resume', session]);
  const second = await asked(command);
  expect(second.id).not.toBe(id);
  expect(machine.wrote('late')).toBe('late\n');
  await api.decide(second.id, 'rejected');
  await resumed.ended();

  await machine.run({ calls: [bash(command)] }, { resume: session, timeoutSeconds: 1 }).ended();
  expect(machine.wrote('late')).toBe('late\n');
  expect((await api.get(id)).body.acknowledged).toBe('resumed');
});

it('without Claude Code exits 2 and says what to do', async () => {
  const run = new AgentMachine(service.url).runCli({}, ['--claude', '/nowhere/claude']);
  expect(await run.ended()).toBe(2);
  expect(run.program.errors.join('\n')).toMatch(/Install it.*--claude/);
  expect(run.said).not.toMatch(/^\s+at /m);
});
