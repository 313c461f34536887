import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { AcpAgent, type AcpSettings } from './acp-agent';
import { byteLinesOf } from './byte-lines';

/** The streams by which an editor speaks to its agent. */
export interface EditorStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/** An agent behind its editor: both speak as if the other were there, and only the questions are answered here. */
export class AcpProxy {
  private agent: AcpAgent | null = null;

  constructor(
    private readonly settings: AcpSettings,
    private readonly editor: EditorStreams,
  ) {}

  /** @returns the agent's exit code, as in a shell. @throws AgentMissing */
  async toItsEnd(): Promise<number> {
    const { input, output } = this.editor;
    const agent = await AcpAgent.start(this.settings, async (line) => {
      if (!output.write(line)) await once(output, 'drain');
    });
    this.agent = agent;
    void this.forward(input, agent);
    return agent.ended();
  }

  signal(signal: NodeJS.Signals): void {
    this.agent?.process.signal(signal);
  }

  /** An editor that is gone ends its agent, as it would without the proxy. */
  private async forward(input: Readable, agent: AcpAgent): Promise<void> {
    try {
      for await (const line of byteLinesOf(input)) await agent.fromClient(line);
    } catch (error) {
      this.settings.report({ kind: 'trouble', message: `the editor cannot be read: ${String(error)}` });
    }
    agent.process.finish();
  }
}
