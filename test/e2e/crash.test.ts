import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../support/api';
import {
  cleanUp,
  freePort,
  postmasterOf,
  processesOf,
  Service,
  startSandboxProcess,
  temporaryDirectory,
  type Program,
} from '../support/processes';
import { buttonsOf, SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';
import { CHAT_ID, telegramEnvironment } from '../support/well-known';

let sandbox: Program;
let chat: SandboxClient;
let environment: Record<string, string>;

beforeAll(async () => {
  const started = await startSandboxProcess();
  sandbox = started.program;
  chat = new SandboxClient(started.url);
  // A space in the path, as in "My Projects", must not matter anywhere.
  environment = {
    ...telegramEnvironment(started.url),
    DATA_DIR: join(temporaryDirectory(), 'my data'),
    PORT: String(await freePort()),
  };
});
afterAll(async () => {
  await sandbox.stop();
  await cleanUp();
});

it('after kill -9 the request is pending, its card works, and the agent that comes back gets the decision', async () => {
  const dataDir = environment.DATA_DIR ?? '';
  const first = await Service.start(environment);
  const api = new Api(first.url);
  const { body: approval } = await api.enqueue({ timeoutSeconds: 600 });
  const card = await chat.card(approval.id);
  const parked = api.get(approval.id, 50).then(
    () => 'answered',
    () => 'cut off',
  );
  await until('the waiter is parked', () => first.eventsNamed('escalation.card-sent').length > 0);
  const postmaster = postmasterOf(dataDir);
  expect(postmaster).not.toBeNull();

  await first.kill();
  expect(await parked).toBe('cut off');
  expect(postmasterOf(dataDir)).toBe(postmaster);

  const second = await Service.start(environment);
  expect(second.url).toBe(first.url);
  expect(second.eventsNamed('database.embedded-ready')[0]).toMatchObject({ adopted: true, pid: postmaster });
  expect((await api.get(approval.id)).body.status).toBe('pending');
  const waiting = api.get(approval.id, 50);
  await chat.press(card.messageId, 'Approve');
  expect((await waiting).body.status).toBe('approved');
  await chat.find(
    'the outcome',
    (message) => message.messageId === card.messageId && buttonsOf(message).length === 0,
  );
  expect(await chat.cardsOf(approval.id)).toHaveLength(1);

  expect(await second.stop()).toEqual({ code: 0, signal: null });
  expect(postmasterOf(dataDir)).toBeNull();
  expect(processesOf(dataDir)).toEqual([]);

  const third = await Service.start(environment);
  expect((await api.get(approval.id)).body.status).toBe('approved');
  await third.stop();
});

it('after kill -9 between two steps of a chain, and behind the last one, each step is asked once', async () => {
  const folder = temporaryDirectory();
  const policy = join(folder, 'policy.yaml');
  const leads = new SandboxClient(chat.url, -1002);
  writeFileSync(
    policy,
    `
version: 1
rules: []
destinations: { everyone: { telegram: ${CHAT_ID} }, leads: { telegram: ${leads.chat} } }
chains: { default: [ { to: everyone }, { after: 10s, to: leads } ] }
`,
  );
  const chained = { ...environment, DATA_DIR: join(folder, 'data'), POLICY_FILE: policy };
  const first = await Service.start(chained);
  const api = new Api(first.url);
  const { body: approval } = await api.enqueue({ timeoutSeconds: 600 });
  const card = await chat.card(approval.id);
  // A card whose sending is not known to have worked is sent again; this test is about the steps.
  const sent = (service: Service) =>
    until('its sending is recorded', () => service.eventsNamed('escalation.card-sent').length > 0);
  await sent(first);
  await first.kill();
  // The time of the step passes while no service runs, or as soon as it does.
  const second = await Service.start(chained);
  await leads.card(approval.id);
  await sent(second);
  await second.kill();
  const third = await Service.start(chained);
  expect((await api.decide(approval.id, 'approved')).status).toBe(200);
  await until('both cards show the outcome', async () =>
    [await chat.message(card.messageId), ...(await leads.cardsOf(approval.id))].every(
      (message) => buttonsOf(message).length === 0,
    ),
  );
  expect(await chat.cardsOf(approval.id)).toHaveLength(1);
  expect(await leads.cardsOf(approval.id)).toHaveLength(1);
  await third.stop();
});
