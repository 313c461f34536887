import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { AcpProxy } from '../../src/agent-side/acp/acp-proxy';
import { AcpRun, type AcpRunSettings } from '../../src/agent-side/acp/run-acp';
import { CountersignClient } from '../../src/agent-side/client';
import { SessionFiles } from '../../src/agent-side/run/session-files';
import type { GateEvent } from '../../src/agent-side/run/tool-gate';
import { startCli } from './cli';
import { CHECKOUT, temporaryDirectory, type Program } from './processes';
import { AGENT_KEY } from './well-known';

const STAND_IN = join(CHECKOUT, 'test/support/acp-stand-in.mjs');

export interface AcpCall {
  /** Run by the agent if it may. */
  readonly command?: string;
  /** Members of the question's tool call, instead of those of the command. */
  readonly toolCall?: object;
  /** Members of an announcement before the question; after it with `late`. */
  readonly announced?: object;
  /** The announcement as raw text. */
  readonly announcedAs?: string;
  readonly late?: boolean;
  readonly options?: readonly object[];
  readonly id?: string | number;
  /** The question as raw text, `"REQUEST"` in it replaced by the id. */
  readonly line?: string;
  /** True if the agent takes the question back at once. */
  readonly cancelled?: boolean;
}

export interface AcpScript {
  readonly calls?: readonly AcpCall[];
  readonly parallel?: boolean;
  readonly sessionId?: string;
  /** The version of the protocol; that of the client without it. */
  readonly version?: number;
  /** The exit code with which the agent ends within the turn. */
  readonly ends?: number;
  /** Requests to the client that need no question. */
  readonly unasked?: readonly object[];
  readonly modes?: object;
  readonly says?: string;
  readonly plan?: readonly object[];
}

interface Heard {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: { readonly outcome: { readonly outcome: string; readonly optionId?: string } };
  readonly error?: { readonly code: number };
}

interface Note {
  readonly env?: readonly string[];
  readonly heard?: Heard;
  readonly violation?: string;
}

/** An agent's machine with the stand-in of an ACP agent on it. */
export class AcpMachine {
  readonly work = temporaryDirectory('countersign-work-');
  private readonly state = temporaryDirectory('countersign-state-');
  private runs = 0;

  constructor(private readonly url: string) {}

  /** In this process, as `countersign run --acp` does it. */
  run(script: AcpScript, more: Partial<AcpRunSettings> = {}): LocalAcpRun {
    const { log, env } = this.prepare(script);
    return new LocalAcpRun(log, { ...this.settings(env), prompts: prompts('do it'), ...more });
  }

  /** In this process, as `countersign acp-proxy` does it; the test is the editor. */
  proxy(script: AcpScript, more: Partial<AcpRunSettings> = {}): LocalProxy {
    const { log, env } = this.prepare(script);
    return new LocalProxy(log, { ...this.settings(env), ...more });
  }

  /** `countersign run --acp` at a shell. */
  runCli(
    script: AcpScript,
    args: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
    command: readonly string[] = [STAND_IN],
  ): CliAcpRun {
    const { log, env } = this.prepare(script);
    const own = ['run', '--acp', '--agent', 'acp-runner', '--cwd', this.work];
    const environment = { COUNTERSIGN_URL: this.url, XDG_STATE_HOME: this.state, ...env, ...more };
    return new CliAcpRun(log, startCli([...own, ...args, '--', ...command], environment, this.work));
  }

  /** The effect on disk: what the tools wrote; null when they did not. */
  wrote(name: string): string | null {
    const path = join(this.work, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  private settings(env: Readonly<Record<string, string>>): AcpRunSettings {
    return {
      command: [STAND_IN],
      cwd: this.work,
      env: { PATH: process.env.PATH, ...env },
      client: new CountersignClient({ url: this.url, key: AGENT_KEY }),
      sessions: new SessionFiles(join(this.state, 'countersign', 'sessions')),
      agentId: 'acp-runner',
      timeoutSeconds: undefined,
      report: () => undefined,
      resume: null,
      mode: null,
      prompts: prompts(),
      onLine: () => undefined,
      write: () => undefined,
      onSession: () => undefined,
    };
  }

  private prepare(script: AcpScript): { log: string; env: Record<string, string> } {
    const file = join(this.state, `script-${++this.runs}`);
    const log = join(this.state, `log-${this.runs}`);
    writeFileSync(file, JSON.stringify(script));
    return { log, env: { STAND_IN: file, STAND_IN_LOG: log } };
  }
}

/** A run as the stand-in recorded it. */
abstract class ObservedAcpRun {
  readonly events: GateEvent[] = [];

  constructor(private readonly log: string) {}

  get notes(): Note[] {
    if (!existsSync(this.log)) return [];
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Note);
  }

  get heard(): Heard[] {
    return this.notes.flatMap(({ heard }) => heard ?? []);
  }

  /** The chosen options in order; `cancelled` for none. */
  get answers(): string[] {
    return this.heard.flatMap(({ result }) =>
      result ? [result.outcome.optionId ?? result.outcome.outcome] : [],
    );
  }

  /** Reasons of the denials that were reported at the terminal. */
  get denials(): string[] {
    return this.events.flatMap((event) => (event.kind === 'denied' ? [event.message] : []));
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

export class LocalAcpRun extends ObservedAcpRun {
  readonly run: AcpRun;
  /** The terminal. */
  shown = '';
  private readonly end: Promise<number>;

  constructor(log: string, settings: AcpRunSettings) {
    super(log);
    this.run = new AcpRun({
      ...settings,
      report: (event) => this.events.push(event),
      write: (text) => (this.shown += text),
    });
    this.end = this.run.toItsEnd();
    // Awaited later, or by a test that expects it.
    this.end.catch(() => undefined);
  }

  protected exitCode(): Promise<number> {
    return this.end;
  }
}

export class LocalProxy extends ObservedAcpRun {
  readonly input = new PassThrough();
  private readonly chunks: Buffer[] = [];
  private readonly end: Promise<number>;

  constructor(log: string, settings: AcpRunSettings) {
    super(log);
    const output = new PassThrough();
    output.on('data', (bytes: Buffer) => this.chunks.push(bytes));
    const report = (event: GateEvent): number => this.events.push(event);
    this.end = new AcpProxy({ ...settings, report }, { input: this.input, output }).toItsEnd();
    this.end.catch(() => undefined);
  }

  /** Everything that the editor got. */
  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Writes a message as the editor. */
  send(message: object): void {
    this.input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  protected exitCode(): Promise<number> {
    return this.end;
  }
}

export class CliAcpRun extends ObservedAcpRun {
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

export async function* prompts(...texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield await Promise.resolve(text);
}
