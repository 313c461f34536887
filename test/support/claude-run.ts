import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CountersignClient } from '../../src/agent-side/client';
import { ClaudeRun, type RunSettings } from '../../src/agent-side/run/run-claude';
import { SessionFiles } from '../../src/agent-side/run/session-files';
import type { Api, ApprovalJson } from './api';
import { startCli } from './cli';
import { CHECKOUT, temporaryDirectory, type Program } from './processes';
import { until } from './until';
import { AGENT_KEY } from './well-known';

const STAND_IN = join(CHECKOUT, 'test/support/claude-stand-in.mjs');

export interface Call {
  readonly tool?: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly id?: string;
  /** Of the control protocol. */
  readonly requestId?: string;
  /** The control request as raw text, `REQUEST` in it replaced by the id. */
  readonly line?: string;
}

export interface Script {
  readonly calls?: readonly Call[];
  readonly parallel?: boolean;
  readonly exitCode?: number;
  readonly loggedOut?: boolean;
}

interface Note {
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly heard?: {
    readonly response?: { readonly response: Answer };
    readonly message?: { readonly content: string };
  };
  readonly violation?: string;
}

export interface Answer {
  readonly behavior: 'allow' | 'deny';
  readonly updatedInput?: unknown;
  readonly message?: string;
}

/** An agent's machine: its working directory, its state, and Claude Code's stand-in under approval there. */
export class AgentMachine {
  readonly work = temporaryDirectory('countersign-work-');
  private readonly state = temporaryDirectory('countersign-state-');
  private readonly sessions = join(this.state, 'countersign', 'sessions');
  private scripts = 0;

  /** @param file the program of `runCli` */
  constructor(
    private readonly url: string,
    private readonly file?: string,
  ) {}

  /** In this process, as `countersign run` would do it. */
  run(script: Script, more: Partial<RunSettings> = {}): LocalRun {
    const { log, env } = this.prepare(script);
    return new LocalRun(log, {
      client: new CountersignClient({ url: this.url, key: AGENT_KEY }),
      sessions: new SessionFiles(this.sessions),
      agentId: 'runner',
      cwd: this.work,
      prompt: 'do it',
      resume: null,
      timeoutSeconds: undefined,
      claude: STAND_IN,
      env: { PATH: process.env.PATH, ...env },
      onLine: () => undefined,
      report: () => undefined,
      ...more,
    });
  }

  /** `countersign run` at a shell. */
  runCli(script: Script, args: readonly string[] = [], more: Readonly<Record<string, string>> = {}): CliRun {
    const { log, env } = this.prepare(script);
    const own = ['--agent', 'runner', '--cwd', this.work, '--claude', STAND_IN];
    const environment = { COUNTERSIGN_URL: this.url, XDG_STATE_HOME: this.state, ...env, ...more };
    const program = startCli(['run', ...own, ...args, '--', 'do', 'it'], environment, this.work, this.file);
    return new CliRun(log, program);
  }

  private prepare(script: Script): { log: string; env: Record<string, string> } {
    const [file, log] = ['script', 'log'].map((name) => join(this.state, `${name}-${++this.scripts}`));
    if (file === undefined || log === undefined) throw new Error('unreachable');
    writeFileSync(file, JSON.stringify(script));
    return { log, env: { STAND_IN: file, STAND_IN_LOG: log } };
  }

  /** The effect on disk: what the tools wrote; null when they did not. */
  wrote(name: string): string | null {
    const path = join(this.work, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  /** The only session's id, once its file stands. */
  session(): Promise<string> {
    return until('a session file', () => {
      const names = existsSync(this.sessions) ? readdirSync(this.sessions) : [];
      return names.find((name) => name.endsWith('.json'))?.replace('.json', '');
    });
  }

  sessionFile(id: string): { mode: number; text: string } {
    const path = join(this.sessions, `${id}.json`);
    return { mode: statSync(path).mode & 0o777, text: readFileSync(path, 'utf8') };
  }
}

/** A run as the stand-in recorded it. */
abstract class ObservedRun {
  constructor(private readonly log: string) {}

  private get notes(): Note[] {
    if (!existsSync(this.log)) return [];
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Note);
  }

  get started(): Note {
    return this.notes[0] ?? {};
  }

  /** Messages to the model after the prompt, in order. */
  get messages(): string[] {
    return this.notes.flatMap(({ heard }) => (heard?.message ? [heard.message.content] : [])).slice(1);
  }

  /** Answers to the stand-in, in order. */
  get answers(): Answer[] {
    return this.notes.flatMap(({ heard }) => (heard?.response ? [heard.response.response] : []));
  }

  /** @returns the exit code. @throws Error when the protocol was broken. */
  async ended(): Promise<number | null> {
    const code = await this.exitCode();
    const broken = this.notes.find(({ violation }) => violation !== undefined);
    if (broken) throw new Error(broken.violation);
    return code;
  }

  protected abstract exitCode(): Promise<number | null>;
}

export class LocalRun extends ObservedRun {
  readonly run: ClaudeRun;
  private readonly end: Promise<number>;

  constructor(log: string, settings: RunSettings) {
    super(log);
    this.run = new ClaudeRun(settings);
    this.end = this.run.toItsEnd();
  }

  protected exitCode(): Promise<number> {
    return this.end;
  }
}

export class CliRun extends ObservedRun {
  constructor(
    log: string,
    readonly program: Program,
  ) {
    super(log);
  }

  get said(): string {
    return [...this.program.output, ...this.program.errors].join('\n');
  }

  protected async exitCode(): Promise<number | null> {
    return (await this.program.ended).code;
  }
}

/** The pending request for this command, once it is there. */
export function requestFor(command: string, api: Api): Promise<ApprovalJson> {
  return until(`a request for ${command.slice(0, 60)}`, async () =>
    (await api.list('status=pending')).find(({ toolInput }) => toolInput.command === command),
  );
}
