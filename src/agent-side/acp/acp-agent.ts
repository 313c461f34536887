import { byteLinesOf } from './byte-lines';
import { AcpWire, type WireSettings } from './acp-wire';
import { AgentProcess } from '../run/agent-process';

export interface AcpSettings extends Omit<WireSettings, 'toAgent'> {
  /** The agent's program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** An ACP agent as a child process, with the wire that answers its permission requests. */
export class AcpAgent {
  private constructor(
    readonly process: AgentProcess,
    private readonly wire: AcpWire,
  ) {}

  /**
   * @param pass receives every line of the agent that is for its client; resolves when the client took it
   * @throws AgentMissing if the program cannot be started.
   */
  static async start(settings: AcpSettings, pass: (line: Buffer) => Promise<void>): Promise<AcpAgent> {
    const { command, cwd, env, ...others } = settings;
    const [file, ...args] = command;
    const missing = `the agent cannot be started as "${file}". Is it installed, and in PATH?`;
    // The agent may speak before its start has been reported.
    let child: AgentProcess | null = null;
    const unsent: string[] = [];
    const toAgent = (message: object): void => {
      const line = JSON.stringify(message);
      if (child) child.write(line);
      else unsent.push(line);
    };
    const wire = new AcpWire({ ...others, toAgent });
    child = await AgentProcess.start({ file, args, cwd, env, missing }, async (output) => {
      for await (const line of byteLinesOf(output)) {
        if (wire.isForClient(line)) await pass(line);
      }
    });
    for (const line of unsent) child.write(line);
    return new AcpAgent(child, wire);
  }

  /** Handles a line of the client. Resolves when the agent took it. */
  async fromClient(line: Buffer): Promise<void> {
    const isTaken = this.wire.fromClient(line, (kept) => this.process.pass(kept));
    if (!isTaken) await this.process.drained();
  }

  /** Resolves when the agent has ended and its open requests are cancelled. @returns its exit code, as in a shell. */
  async ended(): Promise<number> {
    try {
      return await this.process.ended;
    } finally {
      this.process.reap();
      await this.wire.close('the agent has ended');
    }
  }
}
