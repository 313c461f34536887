import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCli } from '../support/cli';
import { printed } from '../support/documents';
import type { Block, ModelEndpoint } from '../support/model-endpoint';
import { Program, temporaryDirectory } from '../support/processes';
import { AGENT_KEY } from '../support/well-known';

/** The three ways by which Claude Code asks. */
export const WAYS = ['run', 'hook', 'mcp'] as const;
export type Way = (typeof WAYS)[number];

/** Claude Code takes a second to its first question, and many times that on a machine that is busy. */
export const ASKS_WITHIN_MS = 240_000;

/** Of a Claude Code that knows nobody but this model. */
export function claudeEnvironment(home: string, modelUrl: string): Record<string, string> {
  return {
    HOME: home,
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: 'none-is-needed-here',
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
  /** Members that the printed settings are used without. */
  readonly without?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A machine with the real Claude Code on it: an empty home, a working directory, and a scripted model. */
export class RealAgent {
  readonly home = temporaryDirectory('countersign-home-');
  readonly work = temporaryDirectory('countersign-work-');
  program: Program | null = null;
  /** What the model was told that its tools returned. */
  results: readonly string[] = [];

  constructor(private readonly asking: Asking) {}

  /** Starts Claude Code; the model plays these turns. */
  start(turns: readonly (readonly Block[])[]): Program {
    const { way, serviceUrl, model, timeoutSeconds, args = [], env: more = {} } = this.asking;
    const { url, results } = model.play(turns);
    this.results = results;
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
      );
      return this.program;
    }
    this.settings();
    const prompt = way === 'mcp' ? this.mcp() : [];
    this.program = new Program(claude, ['-p', 'go', ...prompt, ...args], env, this.work);
    return this.program;
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
    const { way, without = [] } = this.asking;
    if (way !== 'hook') return;
    const kept = (name: string, value: unknown): unknown => (without.includes(name) ? undefined : value);
    this.writeSettings(JSON.parse(this.printed('README.md', '"PreToolUse"'), kept) as object);
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
