import { inputDigest, type BoundInput } from '../../kernel/canonical-json';
import { linesOf } from '../../kernel/lines';
import type { CountersignClient } from '../client';
import { AgentProcess } from './agent-process';
import {
  allowance,
  claudeArguments,
  denial,
  parseLine,
  unsupported,
  userMessage,
  type PermissionDenial,
} from './control-protocol';
import { failureOf } from './denials';
import { Grants, type PlacedCall } from './grants';
import type { SessionFiles } from './session-files';
import { ToolGate, type GateAnswer, type GateEvent } from './tool-gate';

export interface RunSettings {
  readonly client: CountersignClient;
  readonly sessions: SessionFiles;
  readonly agentId: string;
  readonly cwd: string;
  readonly prompt: string;
  /** The session to resume; null for a new one. */
  readonly resume: string | null;
  /** Time for the operators to decide; undefined: the service's default. */
  readonly timeoutSeconds: number | undefined;
  /** The program; `env` is its environment. */
  readonly claude: string;
  readonly env: NodeJS.ProcessEnv;
  /** Receives every output line of Claude Code unchanged. */
  readonly onLine: (line: string) => void;
  readonly report: (event: RunEvent) => void;
}

export type RunEvent =
  | GateEvent
  | { readonly kind: 'grants'; readonly count: number }
  | { readonly kind: 'kept'; readonly sessionId: string; readonly path: string; readonly denied: number }
  | { readonly kind: 'failed'; readonly message: string };

/** One run of Claude Code under approval. */
export class ClaudeRun {
  private gate: ToolGate | null = null;
  private sessionId: string | null = null;
  private child: AgentProcess | null = null;
  private kept: Promise<void> = Promise.resolve();
  private path: string | null = null;
  private grants = Grants.none;
  private denials: readonly PermissionDenial[] = [];

  constructor(private readonly settings: RunSettings) {}

  /**
   * @returns Claude Code's exit code, as in a shell.
   * @throws AgentMissing, and the client's errors if the requests of an earlier run cannot be read.
   */
  async toItsEnd(): Promise<number> {
    const { client, agentId, resume, claude, cwd, env, prompt } = this.settings;
    if (resume !== null) {
      this.grants = await Grants.of(client, agentId, resume);
      if (this.grants.size > 0) this.settings.report({ kind: 'grants', count: this.grants.size });
    }
    const args = claudeArguments(resume);
    const missing = `Claude Code cannot be started as "${claude}". Install it (npm install -g @anthropic-ai/claude-code), or say with --claude where it is`;
    const child = await AgentProcess.start({ file: claude, args, cwd, env, missing }, async (output) => {
      for await (const line of linesOf(output)) this.hear(line);
    });
    this.child = child;
    child.write(userMessage(prompt));
    const exitCode = await child.ended.finally(async () => {
      child.reap();
      await this.gate?.close('the agent has ended');
    });
    if (this.sessionId !== null) {
      await this.kept;
      await this.keep(this.sessionId);
      const { sessionId, path } = this;
      if (path !== null) this.settings.report({ kind: 'kept', sessionId, path, denied: this.denials.length });
    }
    return exitCode;
  }

  /** Forwards a signal. When Claude Code has ended, its open requests are cancelled. */
  signal(signal: NodeJS.Signals): void {
    this.child?.signal(signal);
  }

  private hear(line: string): void {
    this.settings.onLine(line);
    const said = parseLine(line);
    switch (said.kind) {
      case 'begun':
        this.begin(said.sessionId);
        break;
      case 'asks':
        if (this.gate) this.gate.ask(said.requestId, { ...said.call, cwd: this.settings.cwd });
        else this.child?.write(denial(said.requestId, failureOf('the session has no id')));
        break;
      case 'unaskable':
        this.child?.write((said.gating ? denial : unsupported)(said.requestId, failureOf(said.why)));
        break;
      case 'retracts':
        this.gate?.retract(said.requestId);
        break;
      case 'ended':
        this.denials = said.denials;
        if (said.failure !== null) this.settings.report({ kind: 'failed', message: said.failure });
        this.child?.finish();
        break;
      case 'other':
        break;
    }
  }

  private begin(sessionId: string): void {
    if (this.gate) return;
    this.sessionId = sessionId;
    const { client, sessions, agentId, timeoutSeconds, report } = this.settings;
    this.kept = this.keep(sessionId);
    const { grants } = this;
    const reply = (requestId: string, answer: GateAnswer, { toolInput }: PlacedCall): void => {
      if (answer.kind === 'allowed') {
        // An answer of this protocol has no room for a note: the model reads it beside the tool's result.
        if (answer.note !== null) this.child?.write(userMessage(answer.note));
        this.child?.write(allowance(requestId, toolInput));
      }
      if (answer.kind === 'denied') this.child?.write(denial(requestId, answer.message));
    };
    this.gate = new ToolGate({ client, sessions, agentId, sessionId, timeoutSeconds, grants, reply, report });
  }

  /** Writes the data for `--resume`; also at the beginning, in case the run is killed. */
  private async keep(sessionId: string): Promise<void> {
    const { sessions, agentId, cwd, report } = this.settings;
    const denials = this.denials.map((denied) => ({
      toolName: denied.toolName,
      toolUseId: denied.toolUseId,
      inputDigest: digestOf({ ...denied, cwd }),
      why: this.gate?.denials.get(denied.toolUseId) ?? 'denied by Claude Code itself',
    }));
    const session = { version: 1, sessionId, agentId, cwd, denials } as const;
    try {
      this.path = await sessions.write(session);
    } catch (error) {
      report({ kind: 'trouble', message: `the session cannot be kept: ${(error as Error).message}` });
    }
  }
}

/** Digest of a call; null if it has no canonical form, for which no request was made. */
function digestOf(call: BoundInput): string | null {
  try {
    return inputDigest(call);
  } catch (error) {
    // A RangeError: it is nested more deeply than the stack allows.
    if (error instanceof TypeError || error instanceof RangeError) return null;
    throw error;
  }
}
