import { setTimeout as sleep } from 'node:timers/promises';
import {
  client,
  methods,
  ndJsonStream,
  RequestError,
  type ClientContext,
  type NewSessionRequest,
  type NewSessionResponse,
  type PromptRequest,
  type SessionConfigSelectGroup,
  type SessionConfigSelectOption,
} from '@agentclientprotocol/sdk';
import { BUILD } from '../../kernel/build';
import { AcpAgent, type AcpSettings } from './acp-agent';
import { AcpTranscript } from './acp-transcript';
import { ACP_VERSION } from './acp-wire';

export interface AcpRunSettings extends AcpSettings {
  /** The session to go on with; null for a new one. */
  readonly resume: string | null;
  /** The session mode in which the agent asks for everything; null if it has no modes. */
  readonly mode: string | null;
  readonly prompts: AsyncIterable<string>;
  /** Receives every line of the agent for its client, unchanged. */
  readonly onLine: (line: Buffer) => void;
  /** Receives the agent's messages, plans and diffs for a terminal. */
  readonly write: (text: string) => void;
  /** Receives the id of the session as soon as it is known. */
  readonly onSession: (sessionId: string) => void;
}

/** Code of the protocol for an agent that needs a login first. */
const AUTH_REQUIRED = -32000;
/** Time for an agent to end by itself after its input was closed. */
const END_WITHIN_MS = 2_000;

/** One run of an ACP agent under approval, at a terminal. */
export class AcpRun {
  private agent: AcpAgent | null = null;
  private context: ClientContext | null = null;
  private sessionId: string | null = null;
  private isInTurn = false;
  private readonly transcript: AcpTranscript;

  constructor(private readonly settings: AcpRunSettings) {
    this.transcript = new AcpTranscript(settings.write);
  }

  /**
   * Plays the prompts one after the other.
   *
   * @returns 0, or the agent's exit code as in a shell if it ended first.
   * @throws AgentMissing, or Error if the agent refuses the session or a turn.
   */
  async toItsEnd(): Promise<number> {
    const { readable: fromAgent, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const toClient = writable.getWriter();
    const agent = await AcpAgent.start(this.settings, async (line) => {
      this.settings.onLine(line);
      // The library reads no more after the last turn.
      await toClient.write(line).catch(() => undefined);
    });
    this.agent = agent;
    const toAgent = new WritableStream<Uint8Array>({
      // The library writes one message at a time.
      write: (bytes) => agent.fromClient(Buffer.from(bytes)),
    });
    const ended = agent.ended();
    ended.finally(() => toClient.close()).catch(() => undefined);
    const app = client({ name: 'countersign' }).onNotification(methods.client.session.update, ({ params }) =>
      this.transcript.show(params.update),
    );
    try {
      const talk = app.connectWith(ndJsonStream(toAgent, fromAgent), (context) => this.converse(context));
      // Somebody may be about to type the next prompt for an agent that is gone.
      await Promise.race([talk, ended.then(() => Promise.reject(new Error('the agent has ended')))]);
      return 0;
    } catch (error) {
      // The exit code says more than a connection that was closed.
      const code = await Promise.race([ended, sleep(END_WITHIN_MS, null, { ref: false })]);
      if (code === null) throw error;
      return code || 1;
    } finally {
      this.transcript.endLine();
      await this.end(agent, ended);
    }
  }

  /** Cancels the turn that is under way. @returns false if there is none. */
  cancelTurn(): boolean {
    if (!this.isInTurn || this.context === null || this.sessionId === null) return false;
    void this.context.notify(methods.agent.session.cancel, { sessionId: this.sessionId });
    return true;
  }

  signal(signal: NodeJS.Signals): void {
    this.agent?.process.signal(signal);
  }

  private async converse(context: ClientContext): Promise<void> {
    this.context = context;
    const sessionId = await this.openSession(context);
    this.sessionId = sessionId;
    this.settings.onSession(sessionId);
    for await (const text of this.settings.prompts) {
      this.isInTurn = true;
      try {
        const turn: PromptRequest = { sessionId, prompt: [{ type: 'text', text }] };
        const { stopReason } = await context.request(methods.agent.session.prompt, turn);
        this.transcript.endLine();
        if (stopReason !== 'end_turn')
          this.settings.report({ kind: 'trouble', message: `the turn ended early: ${stopReason}` });
      } finally {
        this.isInTurn = false;
      }
    }
  }

  /** @throws Error with the next step if the agent needs a login, or cannot go on with a session. */
  private async openSession(context: ClientContext): Promise<string> {
    const { cwd, resume } = this.settings;
    // No file system and no terminal is offered: an agent could use them without a question.
    const { agentCapabilities } = await context.request(methods.agent.initialize, {
      protocolVersion: ACP_VERSION,
      clientInfo: { name: 'countersign', version: BUILD.version },
      clientCapabilities: {},
    });
    const place: NewSessionRequest = { cwd, mcpServers: [] };
    try {
      if (resume === null) {
        const opened = await context.request(methods.agent.session.new, place);
        await this.enter(context, opened.sessionId, opened);
        return opened.sessionId;
      }
      const session = { sessionId: resume, ...place };
      const { loadSession, sessionCapabilities } = agentCapabilities ?? {};
      // Loading replays the whole conversation; resuming does not.
      if (!sessionCapabilities?.resume && loadSession !== true)
        throw new Error('this agent cannot go on with an earlier session: start it without --resume');
      const opened = sessionCapabilities?.resume
        ? await context.request(methods.agent.session.resume, session)
        : await context.request(methods.agent.session.load, session);
      await this.enter(context, resume, opened);
      return resume;
    } catch (error) {
      if (!(error instanceof RequestError) || error.code !== AUTH_REQUIRED) throw error;
      throw new Error(`the agent needs a login: start ${this.settings.command[0]} itself once and log in`, {
        cause: error,
      });
    }
  }

  /** Enters the mode in which the agent asks for everything. @throws Error if it has modes, and this is none of them */
  private async enter(context: ClientContext, sessionId: string, opened: OpenedSession): Promise<void> {
    const { mode } = this.settings;
    if (mode === null) return;
    const { modes } = opened;
    if (modes?.availableModes.some(({ id }) => id === mode)) {
      if (modes.currentModeId !== mode)
        await context.request(methods.agent.session.setMode, { sessionId, modeId: mode });
      return;
    }
    const option = opened.configOptions?.find(({ category }) => category === 'mode');
    if (option?.type === 'select' && valuesOf(option.options).includes(mode)) {
      const choice = { sessionId, configId: option.id, value: mode };
      if (option.currentValue !== mode) await context.request(methods.agent.session.setConfigOption, choice);
      return;
    }
    if (modes || option)
      throw new Error(
        `the agent has no mode "${mode}", in which it asks for every tool; is its version supported?`,
      );
  }

  /** Closes the agent's input, and ends the agent if it does not end by itself. */
  private async end(agent: AcpAgent, ended: Promise<number>): Promise<void> {
    agent.process.finish();
    const killer = setTimeout(() => agent.process.signal('SIGTERM'), END_WITHIN_MS);
    await ended.finally(() => clearTimeout(killer));
  }
}

type OpenedSession = Pick<NewSessionResponse, 'modes' | 'configOptions'>;

function valuesOf(options: readonly (SessionConfigSelectOption | SessionConfigSelectGroup)[]): string[] {
  return options.flatMap((option) =>
    'value' in option ? option.value : option.options.map(({ value }) => value),
  );
}
