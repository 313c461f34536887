import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { withoutSecrets } from '../../config/secrets';
import type { CountersignClient } from '../../agent-side/client';
import { ServiceRefused } from '../../agent-side/client/service-errors';
import { ClaudeRun } from '../../agent-side/run/run-claude';
import { SessionFiles, type SessionFile } from '../../agent-side/run/session-files';
import { readable } from '../../agent-side/run/transcript';
import { printable } from '../output';
import { requireNoHook } from '../run/claude-settings';
import { eventLine } from '../run/terminal';
import { stateDirectory } from '../run/state-directory';
import { clientFor, unknownKey, withServiceOptions, type ServiceOptions } from '../service-options';

/** Signals that the command forwards to Claude Code. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

interface RunOptions extends ServiceOptions {
  readonly agent: string;
  readonly cwd?: string;
  readonly resume?: string;
  readonly timeout?: number;
  readonly claude: string;
}

/** `countersign run`: runs Claude Code and asks for approval of every tool call. */
export function runCommand(): Command {
  return withServiceOptions(
    new Command('run').description('Run Claude Code with every tool under approval'),
    'print Claude Code’s stream as it is',
  )
    .requiredOption('--agent <id>', 'what operators see as the agent (required)')
    .option('--cwd <dir>', 'where it works; default here, or where the resumed session did')
    .option('--resume <session>', 'go on with a session, and ask again for what was denied')
    .option('--timeout <seconds>', 'how long operators have for each call; default as the service', seconds)
    .option('--claude <path>', 'the Claude Code program', 'claude')
    .argument('[prompt...]', 'what it shall do; may be left out with --resume')
    .action(run);
}

async function run(words: readonly string[], options: RunOptions): Promise<void> {
  const client = clientFor(options);
  const sessions = new SessionFiles(stateDirectory());
  const session =
    options.resume === undefined ? null : await sessionOf(sessions, options.resume, options.agent);
  const prompt = words.join(' ') || (session === null ? '' : askAgain(session));
  if (prompt === '') throw new Error('no prompt: write what Claude Code shall do after --');
  const cwd = workingDirectory(options.cwd ?? session?.cwd ?? process.cwd());
  requireNoHook(cwd);
  await requireAgent(client, options.agent);

  const claude = new ClaudeRun({
    ...{ client, sessions, cwd, prompt },
    agentId: options.agent,
    resume: session?.sessionId ?? null,
    timeoutSeconds: options.timeout,
    // A path is resolved here; a plain name is found through PATH.
    claude: options.claude.includes('/') ? resolve(options.claude) : options.claude,
    env: childEnvironment(),
    onLine: (line) => {
      const lines = options.json === true ? [line] : readable(line);
      if (lines.length > 0) console.log(lines.join('\n'));
    },
    report: (event) => process.stderr.write(`${printable(eventLine(event))}\n`),
  });
  // The reader has closed the pipe: end Claude Code first, then this process.
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => claude.signal('SIGTERM'));
  for (const signal of SIGNALS) process.on(signal, () => claude.signal(signal));
  process.exitCode = await claude.toItsEnd();
}

/** @throws SessionUnknown, or Error if the session belongs to another agent. */
async function sessionOf(sessions: SessionFiles, id: string, agentId: string): Promise<SessionFile> {
  const session = await sessions.read(id);
  if (session.agentId === agentId) return session;
  throw new Error(`session ${id} is of agent ${session.agentId}, not of ${agentId}`);
}

/** Default prompt for a resumed session. */
function askAgain({ denials }: SessionFile): string {
  if (denials.length === 0) return 'Go on.';
  const listed = denials.map(({ toolName, toolUseId, why }) => `- ${toolName} (${toolUseId}): ${why}`);
  return [
    'Go on. These tool calls were denied:',
    ...listed,
    'Where nobody said no, make the same call again if it is still needed: the operators are asked again. What was rejected stays rejected.',
  ].join('\n');
}

/** The path without symbolic links, as operators read it. @throws Error if it is not a directory. */
function workingDirectory(path: string): string {
  const cwd = resolve(path);
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return realpathSync(cwd);
  throw new Error(`--cwd ${path}: there is no such directory`);
}

/** Checks the API key now rather than at the first tool call. @throws Error, and the client's errors. */
async function requireAgent(client: CountersignClient, agentId: string): Promise<void> {
  try {
    await client.list({ agentId, limit: 1 });
  } catch (error) {
    if (error instanceof ServiceRefused && error.status === 401) {
      throw unknownKey();
    }
    throw error;
  }
}

function childEnvironment(): NodeJS.ProcessEnv {
  // With this variable every command runs in the directory that the operators see.
  return { ...withoutSecrets(process.env), CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR: '1' };
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number of seconds, at least 1.');
}
