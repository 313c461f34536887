import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A command line agent on npm. */
interface Published {
  readonly name: string;
  readonly version: string;
  /** The path of its program below `node_modules`; each part matches the name of a file. */
  readonly program: readonly RegExp[];
}

/** The agents that are tested, each with the version that its page in docs/agents was measured with. */
export const PUBLISHED = {
  copilot: {
    name: '@github/copilot',
    version: '1.0.102',
    program: [/^@github$/, /^copilot-(linux|darwin)/, /^copilot$/],
  },
  codex: {
    name: '@openai/codex',
    version: '0.171.0',
    program: [/^@openai$/, /^codex-/, /^vendor$/, /./, /^bin$/, /^codex$/],
  },
  gemini: { name: '@google/gemini-cli', version: '0.61.0', program: [/^\.bin$/, /^gemini$/] },
  'claude-code': {
    name: '@anthropic-ai/claude-code',
    version: '2.1.332',
    program: [/^@anthropic-ai$/, /^claude-code-/, /^claude$/],
  },
  opencode: {
    name: 'opencode-ai',
    version: '1.18.33',
    program: [/^opencode-(linux|darwin)-(x64|arm64)$/, /^bin$/, /^opencode$/],
  },
} satisfies Record<string, Published>;

export type AgentName = keyof typeof PUBLISHED;

/** Outside of the checkout: the programs have hundreds of megabytes, and not all may be passed on. */
const CACHE =
  process.env.AGENTS_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'countersign', 'agents');

export interface Installed {
  readonly version: string;
  readonly program: string;
}

/**
 * Installs an agent into a folder of the cache, or finds it there. No install script runs. `AGENTS_NEWEST=1` takes the
 * newest version in place of the pinned one.
 *
 * @throws Error with the reason if it cannot be installed here.
 */
export function install(agent: AgentName): Installed {
  const { name, version: pinned, program }: Published = PUBLISHED[agent];
  const version = process.env.AGENTS_NEWEST === '1' ? newestOf(name) : pinned;
  const directory = join(CACHE, `${name.replace('/', '+')}@${version}`);
  if (!existsSync(directory)) installInto(directory, `${name}@${version}`);
  const path = find(join(directory, 'node_modules'), program);
  if (path === null) throw new Error(`${name}@${version} has no program for this platform in ${directory}`);
  return { version, program: path };
}

function newestOf(name: string): string {
  const { status, stdout, stderr } = spawnSync('npm', ['view', name, 'version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm view ${name}: ${stderr}`);
  return stdout.trim();
}

/** Whole or not at all: an installation that is cut short leaves nothing that a later run would take. */
function installInto(directory: string, wanted: string): void {
  mkdirSync(CACHE, { recursive: true });
  const draft = mkdtempSync(join(CACHE, 'draft-'));
  try {
    writeFileSync(join(draft, 'package.json'), '{}');
    const args = ['install', '--prefix', draft, '--ignore-scripts', '--no-audit', '--no-fund', wanted];
    const { status, stderr } = spawnSync('npm', args, { cwd: draft, encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm install ${wanted}: ${stderr}`);
    if (!existsSync(directory)) renameSync(draft, directory);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function find(directory: string, [first, ...rest]: readonly RegExp[]): string | null {
  if (first === undefined) return directory;
  if (!existsSync(directory)) return null;
  for (const name of readdirSync(directory)) {
    const path = first.test(name) ? find(join(directory, name), rest) : null;
    if (path !== null) return path;
  }
  return null;
}
