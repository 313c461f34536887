import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defaultDataDirectory } from '../config/data-directory';
import { DemoAgent, type AskedApproval } from './demo/agent';
import { Program, requireFreePort } from './demo/programs';
import { SandboxChat } from './demo/sandbox-chat';
import { TOOL_CALLS, type PreToolUse } from './demo/tool-calls';

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
  readonly agent: DemoAgent;
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
      SHUTDOWN_NOTICE_SECONDS,
    },
    join(dataDir, 'service.log'),
  );
  started.push(service);
  await service.answers(`${serviceUrl}/health/ready`);
  const { agent: key } = JSON.parse(readFileSync(join(dataDir, 'keys.json'), 'utf8')) as { agent: string };
  const agent = new DemoAgent(serviceUrl, key);
  started.push(agent);
  return { serviceUrl, sandboxUrl, agent, chat: new SandboxChat(sandboxUrl, CHAT) };
}

function describe(call: PreToolUse): string {
  const { command, file_path: path } = call.tool_input as { command?: string; file_path?: string };
  return `${call.tool_name}: ${command ?? path ?? ''}`;
}

function outcomeOf(approval: AskedApproval): string {
  const { status, decision, reason } = approval;
  if (status === 'approved') return `approved by ${decision?.by.name ?? '?'}: the agent goes on`;
  if (status === 'rejected') return `rejected by ${decision?.by.name ?? '?'}: the agent does not run it`;
  return `${status} (${reason ?? 'no reason given'}): the agent does not run it`;
}

const cardOf =
  (approval: AskedApproval) => (message: { text: string; buttons: readonly (readonly object[])[] }) =>
    message.text.includes(approval.id.slice(-8)) && message.buttons.flat().length === 2;

/** Plays agent, operator and stranger. @throws Error at the first step with an unexpected result. */
async function playAlone({ agent, chat }: Stage): Promise<void> {
  const run = randomUUID();
  const expected = ['approved', 'rejected', 'expired'] as const;
  for (const [index, { call, says }] of TOOL_CALLS.entries()) {
    say('agent', says);
    const approval = await agent.ask(call, run, index === 2 ? AUTO_TIMEOUT_SECONDS : undefined);
    say('agent', `asks for ${describe(call)}`);
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
    if (end.status !== expected[index])
      throw new Error(`expected ${expected[index] ?? '?'}, got ${end.status}`);
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
}

/** Asks for one tool call after the other; a person decides on the chat page. */
async function playWithPerson({ agent }: Stage): Promise<void> {
  const run = randomUUID();
  for (const { call, says } of TOOL_CALLS) {
    say('agent', says);
    const approval = await agent.ask(call, run);
    say('agent', `asks for ${describe(call)}`);
    say('', 'waiting for you: tap Approve or Reject on the chat page');
    say('agent', outcomeOf(await agent.settled(approval.id)));
  }
  say('agent', 'is done. The service goes on running; Ctrl-C ends it.');
}

async function play(started: Stoppable[], interrupted: AbortSignal, auto: boolean): Promise<void> {
  const ports = await freePorts();
  console.log('Starting PostgreSQL, the Telegram sandbox and the service …');
  const stage = await setTheStage(started, ports, interrupted);
  console.log(
    `\n  Chat page   ${stage.sandboxUrl}/\n  API docs    ${stage.serviceUrl}/api/docs\n  Health      ${stage.serviceUrl}/health\n`,
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
