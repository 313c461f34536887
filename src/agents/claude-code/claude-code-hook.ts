import { z } from 'zod';
import type { Identity } from '../../access/identity';
import { jsonObjectSchema } from '../../kernel/json-object';
import { parsed } from '../../http/zod';
import { inputOf, noteOf } from '../../approvals/approval';
import type { Outcome } from '../answers';
import type { Question } from '../held-calls';
import { CONNECTOR, REPORTING_EVENTS } from './claude-code-events';

/** The events whose answer decides whether a tool runs. */
const GATING_EVENTS = ['PreToolUse', 'PermissionRequest'] as const;

export type GatingEvent = (typeof GATING_EVENTS)[number];

const label = z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters');

/** The members of the client's payload that the service uses; newer versions send more. */
const payloadSchema = z.object({
  hook_event_name: z.enum(GATING_EVENTS),
  session_id: label,
  prompt_id: label.nullish(),
  cwd: z.string().min(1, 'must not be empty').max(4096, 'must have at most 4096 characters').nullish(),
  permission_mode: label.nullish(),
  tool_name: label,
  tool_input: jsonObjectSchema,
  tool_use_id: label.nullish(),
  agent_id: label.nullish(),
  agent_type: label.nullish(),
});

export type HookPayload = z.infer<typeof payloadSchema>;

/**
 * The event of this name that needs a decision; null for one that gates nothing. A body without an event name could be a
 * gating event, so it counts as `PreToolUse`; so does a name that is not a string, and a tool call under a name that is not
 * known: Claude Code runs a tool without a decision in some modes.
 */
export function gatingEventNamed(name: unknown, isCall: boolean): GatingEvent | null {
  if (typeof name !== 'string') return 'PreToolUse';
  const known = GATING_EVENTS.find((event) => event === name);
  return known ?? (isCall && !REPORTING_EVENTS.has(name) ? 'PreToolUse' : null);
}

/** @throws InvalidInput naming every fault. */
export function parseHook(body: unknown): HookPayload {
  return parsed(payloadSchema, body);
}

export function questionOf(payload: HookPayload, { keyId }: Identity): Question {
  const { hook_event_name: event, session_id: sessionId, tool_use_id: toolUseId, cwd } = payload;
  const { tool_name: toolName, tool_input: toolInput, permission_mode: permissionMode } = payload;
  const claudeCode = Object.fromEntries(
    Object.entries({
      event,
      permissionMode,
      subagentId: payload.agent_id,
      subagentType: payload.agent_type,
    }).filter((member): member is [string, string] => typeof member[1] === 'string'),
  );
  // The card shows the mode and the subagent, so another of either makes it another question.
  const asked = { ...claudeCode, sessionId };
  return {
    connector: CONNECTOR,
    body: { agentId: keyId, sessionId, toolName, toolInput, toolUseId, cwd, metadata: { claudeCode } },
    identity:
      typeof toolUseId === 'string'
        ? { ...asked, toolUseId }
        : { ...asked, promptId: payload.prompt_id ?? null },
  };
}

/**
 * The answer in the form that the client expects for its event. Tools that ask a person, such as `ExitPlanMode`, accept
 * an approval only together with the approved input.
 */
export function hookOutput(event: GatingEvent, { answer: { allow, message }, ending }: Outcome): object {
  const approval = allow && ending?.kind === 'settled' ? ending.approval : null;
  const updatedInput = approval && inputOf(approval);
  // The model does not read the reason of a decision that allows.
  const note = approval && noteOf(approval) !== null ? { additionalContext: message } : {};
  switch (event) {
    case 'PreToolUse':
      return {
        hookSpecificOutput: {
          hookEventName: event,
          permissionDecision: updatedInput ? 'allow' : 'deny',
          permissionDecisionReason: message,
          ...(updatedInput && { updatedInput }),
          ...note,
        },
      };
    case 'PermissionRequest':
      return {
        hookSpecificOutput: {
          hookEventName: event,
          decision: updatedInput ? { behavior: 'allow', updatedInput } : { behavior: 'deny', message },
        },
      };
  }
}
