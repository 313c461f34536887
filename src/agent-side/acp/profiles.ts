import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';

/** The settings of one agent by which it asks for everything, for this start only: no file of the user is changed. */
export interface AcpProfile {
  readonly name: string;
  /** Arguments of the agent that would let tools run without a question. */
  readonly bypasses: readonly string[];
  /** The environment with the settings in it. @throws Error if a setting of the user cannot be read */
  readonly environment: (env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
  /** The session mode in which the agent asks; null if it has no others. */
  readonly mode: string | null;
}

/**
 * An agent of OpenCode in which it asks for every tool, whatever the user's and the project's rules allow. OpenCode merges
 * its files into the environment's settings, so nobody may know the name of the agent before it starts.
 */
export const OPENCODE_AGENT = `countersign-${randomBytes(6).toString('hex')}`;

/**
 * The permissions of an agent come after all others, and the last rule that matches counts. So an agent of our own asks for
 * everything. The subagents that OpenCode brings have known names, which a file could give rules: they are off.
 * Measured with 1.18.33.
 */
function opencodeConfig(text: string | undefined): string {
  const asks = { permission: { '*': 'ask' } };
  const base = text ? objectIn(text, 'OPENCODE_CONFIG_CONTENT') : {};
  const agents = (base.agent ?? {}) as Readonly<Record<string, object>>;
  return JSON.stringify({
    ...base,
    default_agent: OPENCODE_AGENT,
    agent: {
      ...agents,
      ...Object.fromEntries(['general', 'explore'].map((name) => [name, { ...agents[name], disable: true }])),
      [OPENCODE_AGENT]: { mode: 'primary', description: 'Asks for every tool', ...asks },
    },
  });
}

const OPENCODE: AcpProfile = {
  name: 'OpenCode',
  bypasses: [],
  environment: ({ OPENCODE_PERMISSION: _, ...env }) => ({
    ...env,
    OPENCODE_CONFIG_CONTENT: opencodeConfig(env.OPENCODE_CONFIG_CONTENT),
  }),
  mode: OPENCODE_AGENT,
};

const GEMINI: AcpProfile = {
  name: 'Gemini CLI',
  bypasses: ['-y', '--yolo', '--approval-mode', '--allowed-tools', '--policy', '--admin-policy'],
  environment: (env) => env,
  mode: 'default',
};

const COPILOT: AcpProfile = {
  name: 'Copilot CLI',
  bypasses: [
    '--allow-all-tools',
    '--allow-all-paths',
    '--allow-all-urls',
    '--allow-all',
    '--yolo',
    '--allow-tool',
    '--allow-url',
  ],
  environment: ({ COPILOT_ALLOW_ALL: _, ...env }) => env,
  mode: null,
};

const CLAUDE: AcpProfile = { name: 'Claude Code', bypasses: [], environment: (env) => env, mode: 'default' };

const CODEX: AcpProfile = { name: 'Codex', bypasses: [], environment: (env) => env, mode: 'read-only' };

const ANY: AcpProfile = { name: 'the agent', bypasses: [], environment: (env) => env, mode: null };

/** The words in a command that name an agent, such as `opencode acp` or `npx @agentclientprotocol/codex-acp`. */
const KNOWN: readonly (readonly [RegExp, AcpProfile])[] = [
  [/^opencode(-ai|-linux-.*)?$/, OPENCODE],
  [/^gemini(-cli)?(\.js)?$/, GEMINI],
  [/^copilot$/, COPILOT],
  [/^claude-(agent|code)-acp$/, CLAUDE],
  [/^codex-acp$/, CODEX],
];

/** The profile for a command; of an unknown agent, one that changes nothing. @throws Error for an argument that bypasses */
export function profileFor(command: readonly string[]): AcpProfile {
  const names = command.map((word) => basename(word).replace(/(?<=.)@[^@]*$/, ''));
  const at = names.findIndex((name) => KNOWN.some(([known]) => known.test(name)));
  const profile = KNOWN.find(([known]) => known.test(names[at] ?? ''))?.[1] ?? ANY;
  // The words before the agent's own are those of a starter, such as the `-y` of npx.
  const own = command.slice(at + 1);
  const bypass = own.find((word) => isOneOf(profile.bypasses, word));
  if (bypass === undefined) return profile;
  throw new Error(`${bypass} lets ${profile.name} run tools without a question; start it without`);
}

/** True for every spelling that parsers of arguments take: `--allowedTools=x` for `--allowed-tools`, `-dy` for `-d -y`. */
function isOneOf(bypasses: readonly string[], word: string): boolean {
  const [name = ''] = word.split('=');
  if (/^-[^-]/.test(name))
    return (
      bypasses.some((bypass) => bypass.length === 2 && name.includes(bypass.slice(1))) ||
      isOneOf(bypasses, `-${name}`)
    );
  const plain = (text: string): string => text.replaceAll(/[-_]/g, '').toLowerCase();
  return name.startsWith('--') && bypasses.some((bypass) => plain(bypass) === plain(name));
}

function objectIn(text: string, name: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch {
    // falls through to the error below
  }
  throw new Error(`${name} must be a JSON object, so that the rules of countersign can be added to it`);
}
