import type { ContentBlock, SessionUpdate, ToolCallContent } from '@agentclientprotocol/sdk';
import { ACP_TOOLS } from '../../kernel/acp-tools';
import { actionLines, actionParts, blockLines } from '../../cards/action-parts';
import { beginning } from '../../cards/excerpt';
import { visibleBlock, visibleLine } from '../../cards/visible-text/visible-text';

/** Longest part of a tool's result that the terminal shows; the agent reads all of it. */
const MAX_RESULT_LENGTH = 600;

const MARKS = { pending: '☐', in_progress: '◐', completed: '☑' } as const;

/** The agent's messages, plans and diffs for a terminal, with terminal controls made visible. */
export class AcpTranscript {
  /** True after a piece of a message that ended within a line. */
  private isWithinLine = false;
  private readonly shown = new Set<string>();

  constructor(private readonly write: (text: string) => void) {}

  /** Shows the kinds of updates that people follow a run by; the others change nothing on the terminal. */
  show(update: SessionUpdate): void {
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the protocol adds kinds with each version
    switch (update.sessionUpdate) {
      case 'agent_message_chunk':
        this.stream(textIn(update.content));
        break;
      case 'plan':
        this.lines(update.entries.map(({ status, content }) => `  ${MARKS[status]} ${visibleLine(content)}`));
        break;
      case 'tool_call':
        this.lines([`→ ${visibleLine(update.title)}`]);
        this.diffs(update.toolCallId, update.content ?? []);
        break;
      case 'tool_call_update':
        this.diffs(update.toolCallId, update.content ?? []);
        if (update.status === 'completed' || update.status === 'failed')
          this.result(update.status, update.content ?? []);
        break;
      case 'current_mode_update':
        this.lines([`… the agent's mode is now ${visibleLine(update.currentModeId)}`]);
        break;
      default:
        break;
    }
  }

  /** Ends a line that a piece of a message left open. */
  endLine(): void {
    if (this.isWithinLine) this.write('\n');
    this.isWithinLine = false;
  }

  private stream(text: string): void {
    if (text === '') return;
    this.write(visibleBlock(text));
    this.isWithinLine = !text.endsWith('\n');
  }

  private lines(lines: readonly string[]): void {
    this.endLine();
    if (lines.length > 0) this.write(`${lines.join('\n')}\n`);
  }

  /** Shows each diff of a call once, although agents send it with every update. */
  private diffs(toolCallId: string, content: readonly ToolCallContent[]): void {
    for (const entry of content) {
      if (entry.type !== 'diff') continue;
      const { path, oldText, newText } = entry;
      const key = JSON.stringify([toolCallId, path, oldText, newText]);
      if (this.shown.has(key)) continue;
      this.shown.add(key);
      const input = { path, ...(typeof oldText === 'string' ? { oldText } : {}), newText };
      this.lines(actionLines(actionParts(ACP_TOOLS.edit, input)));
    }
  }

  private result(status: 'completed' | 'failed', content: readonly ToolCallContent[]): void {
    const text = content.map((entry) => (entry.type === 'content' ? textIn(entry.content) : '')).join('');
    this.lines([
      status === 'failed' ? '← failed' : '← result',
      ...blockLines(beginning(visibleBlock(text), MAX_RESULT_LENGTH)),
    ]);
  }
}

function textIn(content: ContentBlock): string {
  return content.type === 'text' ? content.text : '';
}
