import { resolve } from 'node:path';
import { Command } from 'commander';
import { withoutSecrets } from '../../config/secrets';
import { ClaudeRun } from '../../agent-side/run/run-claude';
import { SessionFiles, type SessionFile } from '../../agent-side/run/session-files';
import { readable } from '../../agent-side/run/transcript';
import { printable } from '../output';
import { requireNoHook } from '../run/claude-settings';
import { requireAgent, seconds, sessionOf, SIGNALS, workingDirectory, type RunOptions } from '../run/start';
import { eventLine } from '../run/terminal';
import { stateDirectory } from '../run/state-directory';
import { clientFor, withServiceOptions } from '../service-options';

/** `countersign run`: runs Claude Code or, with `--acp`, another agent, and asks for approval of every tool call. */
export function runCommand(): Command {
  return withServiceOptions(
    new Command('run').description(
      'Run Claude Code, or an agent that speaks ACP, with its tools under approval',
    ),
    'print the agent’s stream as it is',
  )
    .requiredOption('--agent <id>', 'what operators see as the agent (required)')
    .option('--cwd <dir>', 'where it works; default here, or where the resumed session did')
    .option('--resume <session>', 'go on with a session, and ask again for what was denied')
    .option('--timeout <seconds>', 'how long operators have for each call; default as the service', seconds)
    .option('--claude <path>', 'the Claude Code program', 'claude')
    .option('--acp', 'start the command after -- as an agent that speaks the Agent Client Protocol')
    .option('--prompt <text>', 'with --acp: what it shall do; without it, each line of the input is a prompt')
    .argument(
      '[prompt...]',
      'what it shall do; may be left out with --resume; with --acp, the agent’s command',
    )
    .action(run);
}

async function run(words: readonly string[], options: RunOptions): Promise<void> {
  if (options.prompt !== undefined && options.acp !== true) throw new Error('--prompt goes with --acp');
  if (options.acp !== true) return runClaude(words, options);
  const { runAcp } = await import('../run/acp.js');
  await runAcp(words, options);
}

async function runClaude(words: readonly string[], options: RunOptions): Promise<void> {
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

function childEnvironment(): NodeJS.ProcessEnv {
  // With this variable every command runs in the directory that the operators see.
  return { ...withoutSecrets(process.env), CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR: '1' };
}
