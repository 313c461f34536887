import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AGENT_FILE } from '../support/agent-file';
import { startCli } from '../support/cli';
import { printed } from '../support/documents';
import type { Block, ModelEndpoint } from '../support/model-endpoint';
import { Program, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

/** The three ways by which Claude Code asks. */
export const WAYS = ['run', 'hook', 'mcp'] as const;
export type Way = (typeof WAYS)[number];

/** Claude Code takes a second to its first question, and many times that on a machine that is busy. */
export const ASKS_WITHIN_MS = 240_000;

const MODEL_KEY = 'none-is-needed-here';

const KEY_WORKS_WITHIN_MS = 3_000;

/** Of a Claude Code that knows nobody but this model. */
export function claudeEnvironment(home: string, modelUrl: string): Record<string, string> {
  return {
    HOME: home,
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: MODEL_KEY,
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
}

export interface Asking {
  readonly way: Way;
  readonly serviceUrl: string;
  readonly model: ModelEndpoint;
  /** Seconds that operators have; the service's default without it. Only `run` can say it. */
  readonly timeoutSeconds?: number;
  readonly args?: readonly string[];
  /** The permission mode at a terminal. */
  readonly mode?: string;
  /** Members that the printed settings are used without. */
  readonly without?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Rules of the agent's own that forbid. */
  readonly deny?: readonly string[];
}

interface Settings {
  readonly permissions?: object;
  readonly hooks: Readonly<Record<string, object>>;
}

/** A machine with the real Claude Code on it: an empty home, a working directory, and a scripted model. */
export class RealAgent {
  readonly home = temporaryDirectory('countersign-home-');
  readonly work = temporaryDirectory('countersign-work-');
  program: Program | null = null;
  /** Tool results as the model received them. */
  results: readonly string[] = [];
  /** The calls of the model after its first turn. */
  said: readonly string[] = [];

  constructor(private readonly asking: Asking) {}

  /** Starts Claude Code; the model plays these turns. */
  start(turns: readonly (readonly Block[])[]): Program {
    const { way, serviceUrl, model, timeoutSeconds, args = [], env: more = {} } = this.asking;
    const { url, results, said } = model.play(turns);
    this.results = results;
    this.said = said;
    const claude = process.env.TEST_CLAUDE ?? '';
    const env = {
      ...claudeEnvironment(this.home, url),
      COUNTERSIGN_URL: serviceUrl,
      COUNTERSIGN_KEY: AGENT_KEY,
      ...more,
    };
    if (way === 'run') {
      const timeout = timeoutSeconds === undefined ? [] : ['--timeout', String(timeoutSeconds)];
      this.program = startCli(
        ['run', '--agent', 'real', '--cwd', this.work, '--claude', claude, ...timeout, '--', 'go'],
        { ...env, XDG_STATE_HOME: join(this.home, 'state') },
        this.home,
        AGENT_FILE,
      );
      return this.program;
    }
    this.settings();
    const prompt = way === 'mcp' ? this.mcp() : [];
    this.program = new Program(claude, ['-p', 'go', ...prompt, ...args], env, this.work);
    return this.program;
  }

  /** Starts Claude Code at a terminal, where it asks people as well; the hook gates by these events. */
  startAtTerminal(
    gates: readonly ('PreToolUse' | 'PermissionRequest')[],
    turns: readonly (readonly Block[])[],
  ): Program {
    const { url, results } = this.asking.model.play(turns);
    this.results = results;
    const settings = JSON.parse(this.printed('docs/connectors.md', '"PreToolUse"')) as Settings;
    const { PreToolUse: gate, ...reports } = settings.hooks;
    const gating = Object.fromEntries(gates.map((event) => [event, gate]));
    this.writeSettings({ ...settings, hooks: { ...gating, ...reports } });
    this.passFirstStart();
    const command = `stty rows 50 cols 160; exec "$TEST_CLAUDE" --permission-mode ${this.asking.mode ?? 'default'} go`;
    this.program = new Program(
      'bash',
      [
        '-euc',
        `mkfifo "$HOME/keys"; exec script -qfec '${command}' /dev/null <>"$HOME/keys" >"$HOME/screen"`,
      ],
      {
        ...claudeEnvironment(this.home, url),
        COUNTERSIGN_KEY: AGENT_KEY,
        TEST_CLAUDE: process.env.TEST_CLAUDE ?? '',
        TERM: 'xterm-256color',
        SHELL: '/bin/bash',
      },
      this.work,
    );
    return this.program;
  }

  /** Presses the key as often as it takes: a terminal that is still being drawn loses it. */
  async pressUntil(key: string, what: string, done: () => boolean): Promise<void> {
    await until(
      what,
      async () => {
        this.press(key);
        return until(what, done, KEY_WORKS_WITHIN_MS).catch(() => false);
      },
      ASKS_WITHIN_MS,
    );
  }

  /** Throws when nobody sits there any more. */
  private press(keys: string): void {
    const terminal = openSync(join(this.home, 'keys'), constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(terminal, keys);
    closeSync(terminal);
  }

  /** Answers the questions of the first start. */
  private passFirstStart(): void {
    const state = {
      hasCompletedOnboarding: true,
      theme: 'dark',
      customApiKeyResponses: { approved: [MODEL_KEY.slice(-20)], rejected: [] },
      projects: { [this.work]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
    };
    writeFileSync(join(this.home, '.claude.json'), JSON.stringify(state));
  }

  /** The effect on disk; null when there is none. */
  wrote(name: string): string | null {
    const path = join(this.work, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  /** Settings of the user that let every tool run unasked, in every way there is. */
  allowEverything(): void {
    const answer = { hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'allow' } };
    const hook = { type: 'command', command: `echo '${JSON.stringify(answer)}'` };
    this.writeSettings({
      permissions: { allow: ['Bash', 'Bash(*)'], defaultMode: 'acceptEdits' },
      hooks: { PreToolUse: [{ matcher: '*', hooks: [hook] }] },
    });
  }

  private settings(): void {
    const { way, without = [], deny } = this.asking;
    if (way !== 'hook') return;
    const kept = (name: string, value: unknown): unknown => (without.includes(name) ? undefined : value);
    const settings = JSON.parse(this.printed('docs/connectors.md', '"PreToolUse"'), kept) as Settings;
    this.writeSettings(deny ? { ...settings, permissions: { ...settings.permissions, deny } } : settings);
  }

  private writeSettings(settings: object): void {
    mkdirSync(join(this.home, '.claude'), { recursive: true });
    writeFileSync(join(this.home, '.claude', 'settings.json'), JSON.stringify(settings));
  }

  private mcp(): string[] {
    const path = join(this.home, 'mcp.json');
    writeFileSync(path, this.printed('docs/connectors.md', '"mcpServers"'));
    return ['--mcp-config', path, '--permission-prompt-tool', 'mcp__countersign__approve'];
  }

  /** The JSON with this in it, as the page prints it; only the address is that of this service. */
  private printed(page: string, having: string): string {
    return printed(page, 'json', having).replaceAll('http://127.0.0.1:3000', this.asking.serviceUrl);
  }
}
