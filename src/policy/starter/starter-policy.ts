import { stringify } from 'yaml';
import { READING_GIT } from './reading-commands';

/** The parts of an agent that a starter policy names. */
interface AgentParts {
  readonly name: string;
  /** Tools that run commands, as the agent calls them. */
  readonly shells: readonly string[];
  /** Tools that write files. */
  readonly writers: readonly string[];
  /** Files that decide what the agent may do, or what it runs. */
  readonly gates: readonly string[];
}

const AGENTS = {
  'claude-code': {
    name: 'Claude Code',
    shells: ['Bash'],
    writers: ['Edit', 'MultiEdit', 'NotebookEdit', 'Write'],
    gates: ['**/.claude/**', '**/.mcp.json', '**/CLAUDE.md'],
  },
  codex: {
    name: 'Codex',
    shells: ['Bash'],
    writers: ['apply_patch'],
    gates: ['**/.codex/**', '**/AGENTS.md'],
  },
  copilot: { name: 'Copilot CLI', shells: ['bash'], writers: ['create', 'edit'], gates: ['**/.copilot/**'] },
  gemini: {
    name: 'Gemini CLI',
    shells: ['run_shell_command'],
    writers: ['replace', 'write_file'],
    gates: ['**/.gemini/**', '**/GEMINI.md'],
  },
  opencode: {
    name: 'OpenCode',
    shells: ['bash'],
    writers: ['edit', 'patch', 'write'],
    gates: ['**/.opencode/**', '**/opencode.json*'],
  },
} as const satisfies Record<string, AgentParts>;

export type StarterAgent = keyof typeof AGENTS;
export const STARTER_AGENTS = Object.keys(AGENTS) as readonly StarterAgent[];

/** Gates that do not belong to an agent: they run when git, a shell or a package manager does. */
const COMMON_GATES = [
  '**/.git/**',
  '**/.husky/**',
  '**/.envrc',
  '~/.ssh/**',
  '~/.bashrc',
  '~/.zshrc',
  '~/.profile',
];

/**
 * Writes a commented policy for the agents that were found. It allows reading git and looking at files of the project, and
 * nothing that writes; so no rule of it runs what another lets an agent write.
 *
 * @param agents the agents found; none: Claude Code
 * @param root the directory of the project, absolute
 */
export function writeStarterPolicy(agents: readonly StarterAgent[], root: string): string {
  const found: readonly AgentParts[] = (agents.length > 0 ? agents : ['claude-code' as const]).map(
    (agent) => AGENTS[agent],
  );
  const shells = list(found.flatMap((agent) => agent.shells));
  const writers = list(found.flatMap((agent) => agent.writers));
  const gates = [...new Set([...found.flatMap((agent) => agent.gates), ...COMMON_GATES])];
  const cwd = quote(`${root.replace(/\/+$/, '')}/**`);
  return `# Policy of Countersign for ${found.map(({ name }) => name).join(', ')}.
# Check it with \`countersign policy check FILE\`, replay it with \`policy test FILE --since 7d\`, then \`policy apply FILE\`.
# A request that no rule matches asks a person. deny beats ask, and ask beats allow.
version: 1

# shadow records what the rules would have done, and asks as before. Remove the line when you trust them.
mode: shadow

rules:
  # Reading the history of the project. key: '*' means every agent of this installation; name keys to mean fewer.
  - id: read-git
    decision: allow
    match:
      key: '*'
      tool: ${shells}
      cwd: ${cwd}
      command:
        argv: [git, { any: ${list(READING_GIT.argv[1].any)} }]
        flags: [${READING_GIT.flags.map((flag) => (flag.includes(':') ? quote(flag) : flag)).join(', ')}]
        operands: ${READING_GIT.operands}

  # Looking at files below the directory. The rule "secrets" below asks for those that must stay secret.
  - id: look
    decision: allow
    match:
      key: '*'
      tool: ${shells}
      cwd: ${cwd}
      command:
        argv: [{ any: [cat, grep, head, ls, pwd, rg, tail, wc] }]
        flags: [-E, -a, -c, -i, -l, -la, -n, -r, -rn, -v, '-:int']
        operands: path

  # Agents do not change what decides over them, or what runs without being asked for.
  - id: own-gates
    decision: deny
    match:
      tool: ${writers}
      path:
${gates.map((gate) => `        - ${quote(gate)}`).join('\n')}
    say: Agents do not change their own gates.

  # Files that must stay secret. Change ask to deny where nobody ever approves it.
  - id: secrets
    decision: ask
    match:
      path: ['**/.env', '**/.env.*', '**/.npmrc', '**/*.pem', '~/.ssh/**', '~/.aws/**']
    class: critical

  # Commands that reach beyond this machine, or cannot be undone.
  - id: production
    decision: ask
    match:
      command:
        mentions: [[git, push, --force], [kubectl], [terraform, apply], [npm, publish], [sudo]]
    class: critical

  # Not here, because they must not stand together: a rule that allows edits, and a rule that runs tests. An agent that may edit a
  # test and run it may run anything. docs/policy.md has both, and says when to take that risk.

classes:
  critical: { timeout: 15m }
`;
}

function list(names: readonly string[]): string {
  return `[${[...new Set(names)].join(', ')}]`;
}

function quote(text: string): string {
  return stringify(text, { defaultStringType: 'QUOTE_SINGLE', lineWidth: 0 }).trimEnd();
}
