import { z } from 'zod';
import type { Acknowledgement } from '../../approvals/approval';
import { jsonObjectSchema } from '../../kernel/json-object';
import { canonicalize, sha256Hex } from '../../kernel/canonical-json';
import type { JsonObject } from '../../kernel/json';
import { isQuestion } from '../../kernel/question-tools';

/** The value of the column `connector` for the hook, and its label in metrics and logs. */
export const CONNECTOR = 'hook';

/** A tool call as the agent names it in its reports. */
export interface ReportedCall {
  readonly toolName: string;
  /** From {@link digestOf}: the input may have megabytes and is compared with up to a thousand requests. */
  readonly toolInputDigest: string;
  readonly toolUseId: string;
  /** The subagent that made the call; null: the session's main agent. */
  readonly subagentId: string | null;
}

/** Report of Claude Code about a past event in one of its sessions. */
export type AgentReport = { readonly sessionId: string } & (
  | {
      readonly kind: 'call-ended';
      readonly call: ReportedCall;
      /** Null: the agent's own rules refused it. */
      readonly outcome: Extract<Acknowledgement, 'ran' | 'failed'> | null;
    }
  /** No call of this agent waits any more. */
  | { readonly kind: 'turn-ended'; readonly subagentId: string | null }
  /** No call of the session waits any more. */
  | { readonly kind: 'session-ended' }
);

/** Members that Claude Code adds to the input of a question once it is answered. */
const ANSWERS: readonly string[] = ['answers', 'annotations'];

/** Digest of a tool's input, without the members that Claude Code adds afterwards. */
export function digestOf({
  toolName,
  toolInput,
}: {
  readonly toolName: string;
  readonly toolInput: JsonObject;
}): string {
  const input = isQuestion({ toolName })
    ? Object.fromEntries(Object.entries(toolInput).filter(([name]) => !ANSWERS.includes(name)))
    : toolInput;
  return sha256Hex(canonicalize(input));
}

const label = z.string().min(1).max(200);
const session = { session_id: label, agent_id: label.nullish() };
const call = { ...session, tool_name: label, tool_input: jsonObjectSchema, tool_use_id: label };

/** The events that report and do not ask, of all versions from 2.1.197 on; other members are ignored. */
const reportSchema = z.discriminatedUnion('hook_event_name', [
  z.object({ hook_event_name: z.literal('PostToolUse'), ...call }),
  z.object({ hook_event_name: z.literal('PostToolUseFailure'), ...call }),
  z.object({ hook_event_name: z.literal('PermissionDenied'), ...call }),
  z.object({ hook_event_name: z.literal('Stop'), ...session }),
  z.object({ hook_event_name: z.literal('StopFailure'), ...session }),
  z.object({ hook_event_name: z.literal('SubagentStop'), session_id: label, agent_id: label }),
  z.object({ hook_event_name: z.literal('SessionEnd'), ...session }),
]);

/** The names of the events that report. */
export const REPORTING_EVENTS: ReadonlySet<unknown> = new Set(
  reportSchema.options.map(({ shape }) => shape.hook_event_name.value),
);

/** True if the event is one that reports. */
export function isReportingEvent(body: unknown): boolean {
  return REPORTING_EVENTS.has((body as { hook_event_name?: unknown } | null | undefined)?.hook_event_name);
}

/** Parses a report; null if it is malformed, which still gets an answer. */
export function parseReport(body: unknown): AgentReport | null {
  const { data } = reportSchema.safeParse(body);
  if (!data) return null;
  const sessionId = data.session_id;
  switch (data.hook_event_name) {
    case 'PostToolUse':
      return { kind: 'call-ended', sessionId, call: callOf(data), outcome: 'ran' };
    case 'PostToolUseFailure':
      return { kind: 'call-ended', sessionId, call: callOf(data), outcome: 'failed' };
    case 'PermissionDenied':
      return { kind: 'call-ended', sessionId, call: callOf(data), outcome: null };
    case 'Stop':
    case 'StopFailure':
    case 'SubagentStop':
      return { kind: 'turn-ended', sessionId, subagentId: data.agent_id ?? null };
    case 'SessionEnd':
      return { kind: 'session-ended', sessionId };
  }
}

interface CallFields {
  readonly tool_name: string;
  readonly tool_input: JsonObject;
  readonly tool_use_id: string;
  readonly agent_id?: string | null | undefined;
}

function callOf({
  tool_name: toolName,
  tool_input: toolInput,
  tool_use_id: toolUseId,
  agent_id: subagentId = null,
}: CallFields): ReportedCall {
  return { toolName, toolInputDigest: digestOf({ toolName, toolInput }), toolUseId, subagentId };
}
