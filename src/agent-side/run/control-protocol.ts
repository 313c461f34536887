import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { jsonObjectSchema } from '../../kernel/json-object';
import { parseStrictJson, StrictJsonError } from '../../kernel/strict-json';

/** Start arguments of Claude Code: JSON lines in both directions, and a request to this process before each tool. */
const PROTOCOL_ARGUMENTS = [
  '-p',
  '--output-format',
  'stream-json',
  '--input-format',
  'stream-json',
  '--verbose',
  '--permission-prompt-tool',
  'stdio',
];

/**
 * Settings for the command line, which override those of users and projects. Claude Code then asks for every tool,
 * whatever other settings or hooks allow, and cannot enter a mode that asks for less.
 */
const GUARDED = {
  permissions: { ask: ['*'], defaultMode: 'default', disableBypassPermissionsMode: 'disable' },
  sandbox: { autoAllowBashIfSandboxed: false },
};

/** The arguments for a new session, or to resume one. */
export function claudeArguments(resume: string | null): string[] {
  const guard = ['--permission-mode', 'default', '--settings', JSON.stringify(GUARDED)];
  return [...PROTOCOL_ARGUMENTS, ...guard, ...(resume === null ? [] : ['--resume', resume])];
}

/** One tool call that Claude Code asks for. */
export interface ToolCall {
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId: string | null;
}

export interface PermissionDenial {
  readonly toolName: string;
  readonly toolUseId: string;
  readonly toolInput: JsonObject;
}

/** Meaning of one line of Claude Code's output. */
export type Said =
  | { readonly kind: 'begun'; readonly sessionId: string }
  | { readonly kind: 'asks'; readonly requestId: string; readonly call: ToolCall }
  /** Claude Code asks for something that operators cannot decide; `why` is the reason. */
  | {
      readonly kind: 'unaskable';
      /** As it was sent. */
      readonly requestId: JsonValue;
      readonly gating: boolean;
      readonly why: string;
    }
  | { readonly kind: 'retracts'; readonly requestId: string }
  | {
      readonly kind: 'ended';
      readonly failure: string | null;
      readonly denials: readonly PermissionDenial[];
    }
  | { readonly kind: 'other' };

const line = z.looseObject({ type: z.string() });
const begun = z.object({ type: z.literal('system'), subtype: z.literal('init'), session_id: z.string() });
const controlRequest = z.object({
  type: z.literal('control_request'),
  request_id: z.unknown().optional(),
  request: z.looseObject({ subtype: z.string() }),
});
const canUseTool = z.object({
  subtype: z.literal('can_use_tool'),
  tool_name: z.string(),
  input: jsonObjectSchema,
  tool_use_id: z.string().optional(),
});
const retraction = z.object({ type: z.literal('control_cancel_request'), request_id: z.string() });
const ended = z.object({
  type: z.literal('result'),
  is_error: z.boolean().default(false),
  result: z.string().default(''),
  permission_denials: z
    .array(z.object({ tool_name: z.string(), tool_use_id: z.string(), tool_input: jsonObjectSchema }))
    .default([]),
});

/** Parses a line; `other` for a message that needs no action, and for a line that is not a message. */
export function parseLine(text: string): Said {
  const message = line.safeParse(jsonOf(text)).data;
  switch (message?.type) {
    case 'system': {
      const { data } = begun.safeParse(message);
      return data ? { kind: 'begun', sessionId: data.session_id } : { kind: 'other' };
    }
    case 'control_request': {
      const { data } = controlRequest.safeParse(message);
      return data ? readPermissionRequest(data, text) : { kind: 'other' };
    }
    case 'control_cancel_request': {
      const { data } = retraction.safeParse(message);
      return data ? { kind: 'retracts', requestId: data.request_id } : { kind: 'other' };
    }
    case 'result': {
      const { data } = ended.safeParse(message);
      return data ? endedWith(data) : { kind: 'other' };
    }
    case undefined:
    default:
      return { kind: 'other' };
  }
}

export function userMessage(text: string): string {
  return JSON.stringify({ type: 'user', message: { role: 'user', content: text } });
}

/** The tool may run, with exactly this input. */
export function allowance(requestId: string, updatedInput: JsonObject): string {
  return success(requestId, { behavior: 'allow', updatedInput });
}

/** The tool may not run; the model reads the message as its result. */
export function denial(requestId: JsonValue, message: string): string {
  return success(requestId, { behavior: 'deny', message });
}

export function unsupported(requestId: JsonValue, error: string): string {
  return JSON.stringify({
    type: 'control_response',
    response: { subtype: 'error', request_id: requestId, error },
  });
}

function success(requestId: JsonValue, response: object): string {
  return JSON.stringify({
    type: 'control_response',
    response: { subtype: 'success', request_id: requestId, response },
  });
}

function readPermissionRequest({ request_id, request }: z.infer<typeof controlRequest>, text: string): Said {
  const requestId = (request_id ?? null) as JsonValue;
  if (request.subtype !== 'can_use_tool') {
    return {
      kind: 'unaskable',
      requestId,
      gating: false,
      why: `countersign does not know ${request.subtype}`,
    };
  }
  const { data } = canUseTool.safeParse(request);
  if (!data || typeof requestId !== 'string')
    return { kind: 'unaskable', requestId, gating: true, why: 'the call has a form that is not known' };
  try {
    // Ambiguous JSON must not be approved in one reading and run in the other.
    parseStrictJson(text);
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return { kind: 'unaskable', requestId, gating: true, why: `the call is ambiguous: ${error.message}` };
  }
  const { tool_name: toolName, input, tool_use_id: toolUseId = null } = data;
  return { kind: 'asks', requestId, call: { toolName, toolInput: input, toolUseId } };
}

function endedWith({ is_error: failed, result, permission_denials: denials }: z.infer<typeof ended>): Said {
  return {
    kind: 'ended',
    failure: failed ? result : null,
    denials: denials.map(({ tool_name: toolName, tool_use_id: toolUseId, tool_input: toolInput }) => ({
      toolName,
      toolUseId,
      toolInput: toolInput,
    })),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // not a message
  }
}
