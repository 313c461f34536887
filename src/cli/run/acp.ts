import { withoutSecrets } from '../../config/secrets';
import { linesOf } from '../../kernel/lines';
import { AcpProxy } from '../../agent-side/acp/acp-proxy';
import { profileFor } from '../../agent-side/acp/profiles';
import { AcpRun } from '../../agent-side/acp/run-acp';
import { SessionFiles } from '../../agent-side/run/session-files';
import type { GateEvent } from '../../agent-side/run/tool-gate';
import { printable } from '../output';
import { clientFor } from '../service-options';
import { requireAgent, sessionOf, SIGNALS, workingDirectory, type RunOptions } from './start';
import { stateDirectory } from './state-directory';
import { eventLine } from './terminal';

export type AcpOptions = Pick<RunOptions, 'agent' | 'cwd' | 'timeout' | 'url' | 'key'>;

/** `countersign run --acp`: runs an agent at this terminal. */
export async function runAcp(words: readonly string[], options: RunOptions): Promise<void> {
  const settings = settingsOf(words, options);
  const { resume = null, agent, json, prompt } = options;
  const session = resume === null ? null : await sessionOf(settings.sessions, resume, agent);
  await requireAgent(settings.client, agent);
  const opened: string[] = [];
  const run = new AcpRun({
    ...settings,
    ...{ cwd: workingDirectory(options.cwd ?? session?.cwd ?? process.cwd()), resume },
    prompts: prompt === undefined ? typedPrompts() : onePrompt(prompt),
    onLine: (line) => json === true && process.stdout.write(line),
    write: (text) => json === true || process.stdout.write(text),
    onSession: (id) => opened.push(id),
  });
  endWithoutReaders((signal) => run.signal(signal));
  for (const signal of SIGNALS)
    process.on(signal, () => {
      // The first Ctrl-C ends the turn, the next one the agent.
      if (signal !== 'SIGINT' || !run.cancelTurn()) run.signal(signal);
    });
  try {
    process.exitCode = await run.toItsEnd();
  } finally {
    process.stdin.destroy();
    for (const id of opened) complainLine(`Session ${id}: --resume ${id} goes on with it, if the agent can`);
  }
}

/** `countersign acp-proxy`: runs an agent for the editor that started this process. */
export async function proxyAcp(words: readonly string[], options: AcpOptions): Promise<void> {
  const settings = settingsOf(words, options);
  await requireAgent(settings.client, options.agent);
  const cwd = workingDirectory(options.cwd ?? process.cwd());
  const proxy = new AcpProxy({ ...settings, cwd }, { input: process.stdin, output: process.stdout });
  endWithoutReaders((signal) => proxy.signal(signal));
  for (const signal of SIGNALS) process.on(signal, () => proxy.signal(signal));
  process.exitCode = await proxy.toItsEnd();
  process.stdin.destroy();
}

/** @throws Error without a command, or for an argument by which the agent would not ask. */
function settingsOf(words: readonly string[], options: AcpOptions) {
  const [file, ...args] = words;
  if (file === undefined) throw new Error('no agent: write its command after --, such as -- opencode acp');
  const profile = profileFor(words);
  return {
    mode: profile.mode,
    command: [file, ...args] as const,
    env: profile.environment(withoutSecrets(process.env)),
    client: clientFor(options),
    sessions: new SessionFiles(stateDirectory()),
    agentId: options.agent,
    timeoutSeconds: options.timeout,
    report: (event: GateEvent) => complainLine(eventLine(event)),
  };
}

function complainLine(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** Ends the agent first, then this process, if a reader has closed its pipe. */
function endWithoutReaders(end: (signal: NodeJS.Signals) => void): void {
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => end('SIGTERM'));
}

async function* onePrompt(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}

/** Each line that is typed, or comes by a pipe, is a prompt. */
async function* typedPrompts(): AsyncGenerator<string> {
  const ask = (): void => {
    if (process.stdin.isTTY) process.stderr.write('> ');
  };
  ask();
  for await (const line of linesOf(process.stdin)) {
    if (line.trim() !== '') yield line;
    ask();
  }
}
