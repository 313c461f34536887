import { z } from 'zod';
import type { JsonObject } from '../../kernel/json';
import { actionLines, actionParts, blockLines } from '../../cards/action-parts';
import { beginning } from '../../cards/excerpt';
import { visibleBlock, visibleLine } from '../../cards/visible-text/visible-text';

/** Longest part of a tool's result that the terminal shows; the agent reads all of it. */
const MAX_RESULT_LENGTH = 600;

const text = z.object({ type: z.literal('text'), text: z.string() });
const toolUse = z.object({
  type: z.literal('tool_use'),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
});
const toolResult = z.object({
  type: z.literal('tool_result'),
  content: z.union([z.string(), z.array(z.unknown())]).optional(),
  is_error: z.boolean().optional(),
});
const message = z.object({
  type: z.enum(['assistant', 'user']),
  message: z.object({ content: z.array(z.unknown()) }),
});

/** Readable form of one output line, with terminal controls made visible; empty for most lines. */
export function readable(line: string): string[] {
  const parsed = message.safeParse(jsonOf(line)).data;
  if (!parsed) return [];
  return parsed.message.content.flatMap((block) =>
    parsed.type === 'assistant' ? assistantLines(block) : resultLines(block),
  );
}

function assistantLines(block: unknown): string[] {
  const words = text.safeParse(block).data;
  if (words) return [visibleBlock(words.text)];
  const use = toolUse.safeParse(block).data;
  if (!use) return [];
  return [`→ ${visibleLine(use.name)}`, ...inputLines(use.name, use.input as JsonObject)];
}

/** A model may nest an input more deeply than the stack allows. Such a call is denied without being asked for. */
function inputLines(name: string, input: JsonObject): string[] {
  try {
    return actionLines(actionParts(name, input));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return ['  its input is nested too deeply to be shown'];
  }
}

function resultLines(block: unknown): string[] {
  const result = toolResult.safeParse(block).data;
  if (!result) return [];
  const { content = '', is_error: failed = false } = result;
  const whole = typeof content === 'string' ? content : content.map(textIn).join('\n');
  return [failed ? '← failed' : '← result', ...blockLines(beginning(visibleBlock(whole), MAX_RESULT_LENGTH))];
}

function textIn(block: unknown): string {
  return text.safeParse(block).data?.text ?? '';
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined; // not a message for people
  }
}
