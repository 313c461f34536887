import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ServiceDoor } from '../agent-side/client/service-call';
import { defaultDataDirectory } from '../config/data-directory';
import { labelActor, readActor, type NamedActor } from '../kernel/actor';
import { DemoAgent, type AskedApproval } from './demo/agent';
import { consoleLink } from './demo/console-link';
import { grantLikeIt } from './demo/grant';
import { DEMO_POLICY } from './demo/policy';
import { Program, requireFreePort } from './demo/programs';
import { SandboxChat } from './demo/sandbox-chat';
import { ALIKE_CALLS, RULED_CALLS, TOOL_CALLS, type PreToolUse, type Step } from './demo/tool-calls';

const CHAT = '-1001';
const OPERATOR = 1;
const STRANGER = 2;
/** The sandbox accepts any well-formed token. */
const BOT_TOKEN = '1000000001:demo-token-for-the-local-sandbox-only';
const AUTO_TIMEOUT_SECONDS = 5;
const CARD_WITHIN_MS = 15_000;
/** Ctrl-C reaches the service too; for this time it still accepts the agent's cancellation. */
const SHUTDOWN_NOTICE_SECONDS = '1';

interface Stage {
  readonly serviceUrl: string;
  readonly sandboxUrl: string;
  readonly policyFile: string;
  readonly agent: DemoAgent;
  readonly operator: ServiceDoor;
  readonly chat: SandboxChat;
}

interface Stoppable {
  stop(): Promise<void>;
}

const say = (who: string, text: string) => console.log(`${who.padEnd(9)}│ ${text}`);

interface Ports {
  readonly port: string;
  readonly sandboxPort: string;
}

/** Checks the ports: another program on one of them would answer instead of ours. @throws Error naming the variable. */
async function freePorts(): Promise<Ports> {
  const ports = { port: process.env.PORT ?? '3000', sandboxPort: process.env.SANDBOX_PORT ?? '8081' };
  await requireFreePort('PORT', ports.port);
  await requireFreePort('SANDBOX_PORT', ports.sandboxPort);
  return ports;
}

/**
 * Starts the sandbox and the service as separate processes, without the caller's environment. Each started process
 * is added to `started`, so the caller can stop it even if a later step fails.
 */
async function setTheStage(
  started: Stoppable[],
  { port, sandboxPort }: Ports,
  interrupted: AbortSignal,
): Promise<Stage> {
  const dataDir = resolve(process.env.DATA_DIR || join(defaultDataDirectory(), 'demo'));
  const serviceUrl = `http://127.0.0.1:${port}`;
  const sandboxUrl = `http://127.0.0.1:${sandboxPort}`;
  mkdirSync(dataDir, { recursive: true });
  const policyFile = join(dataDir, 'policy.yaml');
  writeFileSync(policyFile, DEMO_POLICY);
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', DATA_DIR: dataDir };
  const sandbox = new Program(
    'The sandbox',
    join(__dirname, '..', 'sandbox', 'main.js'),
    { ...env, SANDBOX_PORT: sandboxPort },
    join(dataDir, 'sandbox.log'),
  );
  started.push(sandbox);
  await sandbox.answers(`${sandboxUrl}/`);
  interrupted.throwIfAborted();
  const service = new Program(
    'The service',
    join(__dirname, '..', 'main.js'),
    {
      ...env,
      PORT: port,
      TELEGRAM_BOT_TOKEN: BOT_TOKEN,
      TELEGRAM_CHAT_ID: CHAT,
      TELEGRAM_OPERATORS: `${OPERATOR}:Olivia`,
      TELEGRAM_API_ROOT: sandboxUrl,
      POLICY_FILE: policyFile,
      SHUTDOWN_NOTICE_SECONDS,
    },
    join(dataDir, 'service.log'),
  );
  started.push(service);
  await service.answers(`${serviceUrl}/health/ready`);
  const keys = JSON.parse(readFileSync(join(dataDir, 'keys.json'), 'utf8')) as Record<
    'agent' | 'operator',
    string
  >;
  const agent = new DemoAgent(serviceUrl, keys.agent);
  started.push(agent);
  const operator = { url: serviceUrl, key: keys.operator };
  return { serviceUrl, sandboxUrl, policyFile, agent, operator, chat: new SandboxChat(sandboxUrl, CHAT) };
}

function describe(call: PreToolUse): string {
  const { command, file_path: path } = call.tool_input as { command?: string; file_path?: string };
  return `${call.tool_name}: ${command ?? path ?? ''}`;
}

function outcomeOf(approval: AskedApproval): string {
  const { status, decision, reason } = approval;
  const who = decision ? labelActor(readActor(decision.by)) : '?';
  if (status === 'approved') return `approved by ${who}: the agent goes on`;
  if (status === 'rejected') return `rejected by ${who}: the agent does not run it`;
  return `${status} (${reason ?? 'no reason given'}): the agent does not run it`;
}

/** Tells how the rules answer the request, and for a denial the words that the agent reads. */
function rulingOf({ policy, decision: end }: AskedApproval): string {
  if (end?.by.kind === 'grant') return 'no rule matches, and a grant covers it: no card, no tap';
  const { decision = 'ask', rules = [] } = policy ?? {};
  if (rules.length === 0) return 'no rule matches: a person is asked';
  const words = {
    allow: 'allows it: no card, no tap',
    deny: `denies it: ${end?.reason ?? ''}`,
    ask: 'asks a person',
  };
  return `${rules.join(', ')} ${words[decision]}`;
}

async function askFor(agent: DemoAgent, { call, says }: Step, run: string, timeoutSeconds?: number) {
  say('agent', says);
  const approval = await agent.ask(call, run, timeoutSeconds);
  say('agent', `asks for ${describe(call)}`);
  say('rules', rulingOf(approval));
  return approval;
}

/** @throws Error if the request ended in another way. */
function requireEnd(
  end: AskedApproval | undefined,
  status: AskedApproval['status'],
  kind?: NamedActor['kind'],
) {
  const by = end?.decision?.by.kind;
  if (end?.status !== status || (kind !== undefined && by !== kind))
    throw new Error(
      `expected ${status} by ${kind ?? 'anything'}, got ${end?.status ?? 'nothing'} by ${by ?? 'nobody'}`,
    );
}

const cardOf =
  (approval: AskedApproval) => (message: { text: string; buttons: readonly (readonly object[])[] }) =>
    message.text.includes(approval.id.slice(-8)) && message.buttons.length > 0;

/** Asks for what the rules answer. @returns the requests as they ended */
async function playRules({ agent }: Stage, run: string, timeoutSeconds?: number): Promise<AskedApproval[]> {
  const ends: AskedApproval[] = [];
  for (const step of RULED_CALLS) {
    const end = await agent.settled((await askFor(agent, step, run, timeoutSeconds)).id);
    say('agent', outcomeOf(end));
    ends.push(end);
  }
  return ends;
}

/** Has the operator grant the first of two edits alike. @returns the second as it ended */
async function playGrant(
  { agent, operator }: Stage,
  run: string,
  timeoutSeconds?: number,
): Promise<AskedApproval> {
  const [first, second] = ALIKE_CALLS;
  const granted = await askFor(agent, first, run, timeoutSeconds);
  const scope = await grantLikeIt(operator, granted.id);
  if (scope !== null) say('operator', `grants it over REST, and the next ones like it: ${scope}`);
  say('agent', outcomeOf(await agent.settled(granted.id)));
  const end = await agent.settled((await askFor(agent, second, run, timeoutSeconds)).id);
  say('agent', outcomeOf(end));
  return end;
}

/** Plays agent, operator and stranger. @throws Error at the first step with an unexpected result. */
async function playAlone(stage: Stage): Promise<void> {
  const { agent, chat } = stage;
  const run = randomUUID();
  const [allowed, denied] = await playRules(stage, run, AUTO_TIMEOUT_SECONDS);
  requireEnd(allowed, 'approved', 'policy');
  requireEnd(denied, 'rejected', 'policy');
  const expected = ['approved', 'rejected', 'expired'] as const;
  for (const [index, step] of TOOL_CALLS.entries()) {
    const approval = await askFor(agent, step, run, index === 2 ? AUTO_TIMEOUT_SECONDS : undefined);
    const card = await chat.find('The card', cardOf(approval), CARD_WITHIN_MS);
    say('chat', `a card stands in the chat (message ${card.messageId})`);
    const settled = agent.settled(approval.id);
    if (index === 0)
      say(
        'stranger',
        `taps Approve and is told: ${(await chat.press(card.messageId, 'Approve', STRANGER)) ?? 'nothing'}`,
      );
    if (index < 2) {
      const button = index === 0 ? 'Approve' : 'Reject';
      say(
        'operator',
        `taps ${button} and is told: ${(await chat.press(card.messageId, button, OPERATOR)) ?? 'nothing'}`,
      );
    } else {
      say('operator', 'does nothing');
    }
    const end = await settled;
    requireEnd(end, expected[index] ?? 'pending', index < 2 ? 'telegram' : undefined);
    if (index < 2 && end.decision?.by.id !== String(OPERATOR))
      throw new Error('the decision is not the operator’s');
    say('agent', outcomeOf(end));
    await chat.find(
      'The outcome',
      ({ messageId, buttons }) => messageId === card.messageId && buttons.length === 0,
      CARD_WITHIN_MS,
    );
    say('chat', 'the card shows the outcome, its buttons are gone');
  }
  requireEnd(await playGrant(stage, run, AUTO_TIMEOUT_SECONDS), 'approved', 'grant');
}

/** Asks for one tool call after the other; the rules, a person on the chat page, and a grant answer. */
async function playWithPerson(stage: Stage): Promise<void> {
  const { agent } = stage;
  const run = randomUUID();
  await playRules(stage, run);
  for (const step of TOOL_CALLS) {
    const approval = await askFor(agent, step, run);
    say('', 'waiting for you: tap Approve or Reject on the chat page, or decide in the console');
    say('agent', outcomeOf(await agent.settled(approval.id)));
  }
  await playGrant(stage, run);
  say('agent', 'is done. The service goes on running; Ctrl-C ends it.');
}

async function play(started: Stoppable[], interrupted: AbortSignal, auto: boolean): Promise<void> {
  const ports = await freePorts();
  console.log('Starting PostgreSQL, the Telegram sandbox and the service …');
  const stage = await setTheStage(started, ports, interrupted);
  console.log(
    `\n  Chat page   ${stage.sandboxUrl}/\n  Console     ${await consoleLink(stage.operator)}\n  API docs    ${stage.serviceUrl}/api/docs\n  Health      ${stage.serviceUrl}/health\n  Rules       ${stage.policyFile}\n`,
  );
  if (auto) return playAlone(stage);
  await playWithPerson(stage);
  await once(interrupted, 'abort');
}

async function main(): Promise<void> {
  const auto = process.argv.includes('--auto');
  const interruption = new AbortController();
  const interrupted = once(interruption.signal, 'abort').then(() => {
    if (auto) throw new Error('interrupted');
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
  const started: Stoppable[] = [];
  try {
    await Promise.race([play(started, interruption.signal, auto), interrupted]);
  } finally {
    if (started.length > 0) console.log('\nStopping …');
    for (const one of started.toReversed()) await one.stop();
  }
  if (auto) console.log('The demo went as it should.');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
