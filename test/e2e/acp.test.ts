import { AcpMachine } from '../support/acp-run';
import type { Api } from '../support/api';
import { requestFor } from '../support/claude-run';
import { freePort, processesOf, Service } from '../support/processes';
import { setStage, strike, type Stage } from '../support/stage';

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

const asked = (command: string) => requestFor(command, api);

it('run --acp shows what the agent says, runs what was approved, and keeps our keys from the agent', async () => {
  const machine = new AcpMachine(service.url);
  const script = { says: 'I begin.\u001b[2J', calls: [{ command: 'printf ran > allowed' }] };
  const run = machine.runCli(script, ['--prompt', 'do it'], { OPERATOR_API_KEY: 'x', EDITOR: 'vi' });
  await api.decide((await asked('printf ran > allowed')).id, 'approved');
  expect(await run.ended()).toBe(0);
  expect(machine.wrote('allowed')).toBe('ran');
  expect(run.said).toContain('I begin.');
  expect(run.said).not.toContain('\u001b');
  expect(run.said).toContain('approved by');
  expect(run.said).toContain('--resume session-1 goes on with it');
  const [{ env = [] } = {}] = run.notes;
  expect(env).toContain('EDITOR');
  expect(env).not.toContain('COUNTERSIGN_KEY');
  expect(env).not.toContain('OPERATOR_API_KEY');
});

it('run --acp passes SIGTERM on, cancels what is open and leaves nothing running', async () => {
  const machine = new AcpMachine(service.url);
  const run = machine.runCli({ calls: [{ command: 'touch terminated' }] }, ['--prompt', 'do it']);
  const { id } = await asked('touch terminated');
  run.program.signal('SIGTERM');
  expect(await run.ended()).toBe(143);
  expect((await api.get(id)).body.status).toBe('cancelled');
  expect(processesOf(machine.work)).toEqual([]);
});

it('run --acp outlives a killed service while it waits, and a service that stays away is no approval', async () => {
  const machine = new AcpMachine(service.url);
  const patient = machine.runCli({ calls: [{ command: 'touch survived' }] }, ['--prompt', 'do it']);
  const forsaken = machine.runCli({ calls: [{ command: 'touch orphaned' }] }, [
    ...['--prompt', 'do it', '--timeout', '2'],
  ]);
  const [{ id }] = await Promise.all([asked('touch survived'), asked('touch orphaned')]);
  await service.kill();
  expect(await forsaken.ended()).toBe(0);
  expect(forsaken.answers).toEqual(['no']);
  service = await Service.start({ ...stage.environment, PORT: port });
  await api.decide(id, 'approved');
  expect(await patient.ended()).toBe(0);
  expect([machine.wrote('survived'), machine.wrote('orphaned')]).toEqual(['', null]);
});

it.each([
  ['no command', [], {}, /no agent: write its command/],
  ['a wrong key', ['--prompt', 'x'], { COUNTERSIGN_KEY: 'x'.repeat(40) }, /does not know this API key/],
  ['a session that is not kept', ['--resume', 'nothing'], {}, /nothing usable is kept/],
])('run --acp with %s is refused, with the reason', async (what, args, env, reason) => {
  const machine = new AcpMachine(service.url);
  const run = machine.runCli({}, args, env, what === 'no command' ? [] : undefined);
  expect(await run.ended()).toBe(2);
  expect(run.said).toMatch(reason);
});
