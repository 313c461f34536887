import { z } from 'zod';
import type { JsonObject } from '../../kernel/json';
import { parseStrictJson, StrictJsonError } from '../../kernel/strict-json';

/** How Claude Code is started: it speaks JSON lines both ways and asks us before it uses a tool. */
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
 * Rules of the command line stand above those of users and projects: every tool is asked for, whatever their settings
 * or hooks allow, and no mode can be entered that asks for less.
 */
const GUARDED = {
  permissions: { ask: ['*'], defaultMode: 'default', disableBypassPermissionsMode: 'disable' },
  sandbox: { autoAllowBashIfSandboxed: false },
};

/** The arguments for a new session, or for one to be resumed. */
export function claudeArguments(resume: string | null): string[] {
  const guard = ['--permission-mode', 'default', '--settings', JSON.stringify(GUARDED)];
  return [...PROTOCOL_ARGUMENTS, ...guard, ...(resume === null ? [] : ['--resume', resume])];
}

/** One tool call as Claude Code wants to make it. */
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

/** What one line of Claude Code's output means to us. */
export type Said =
  | { readonly kind: 'begun'; readonly sessionId: string }
  | { readonly kind: 'asks'; readonly requestId: string; readonly call: ToolCall }
  /** It wants something that cannot be put to anybody, and why. */
  | { readonly kind: 'unaskable'; readonly requestId: string; readonly gating: boolean; readonly why: string }
  | { readonly kind: 'retracts'; readonly requestId: string }
  | {
      readonly kind: 'ended';
      readonly failure: string | null;
      readonly denials: readonly PermissionDenial[];
    }
  | { readonly kind: 'other' };

const object = z.record(z.string(), z.unknown());
const line = z.looseObject({ type: z.string() });
const begun = z.object({ type: z.literal('system'), subtype: z.literal('init'), session_id: z.string() });
const controlRequest = z.object({
  type: z.literal('control_request'),
  request_id: z.string(),
  request: z.looseObject({ subtype: z.string() }),
});
const canUseTool = z.object({
  subtype: z.literal('can_use_tool'),
  tool_name: z.string(),
  input: object,
  tool_use_id: z.string().optional(),
});
const retraction = z.object({ type: z.literal('control_cancel_request'), request_id: z.string() });
const ended = z.object({
  type: z.literal('result'),
  is_error: z.boolean().default(false),
  result: z.string().default(''),
  permission_denials: z
    .array(z.object({ tool_name: z.string(), tool_use_id: z.string(), tool_input: object }))
    .default([]),
});

/** What a line says; `other` for what needs nothing of us, also when it is no message at all. */
export function parseLine(text: string): Said {
  const message = line.safeParse(jsonOf(text)).data;
  switch (message?.type) {
    case 'system': {
      const { data } = begun.safeParse(message);
      return data ? { kind: 'begun', sessionId: data.session_id } : { kind: 'other' };
    }
    case 'control_request': {
      const { data } = controlRequest.safeParse(message);
      return data ? asked(data, text) : { kind: 'other' };
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
export function denial(requestId: string, message: string): string {
  return success(requestId, { behavior: 'deny', message });
}

export function unsupported(requestId: string, error: string): string {
  return JSON.stringify({
    type: 'control_response',
    response: { subtype: 'error', request_id: requestId, error },
  });
}

function success(requestId: string, response: object): string {
  return JSON.stringify({
    type: 'control_response',
    response: { subtype: 'success', request_id: requestId, response },
  });
}

function asked({ request_id: requestId, request }: z.infer<typeof controlRequest>, text: string): Said {
  if (request.subtype !== 'can_use_tool') {
    return {
      kind: 'unaskable',
      requestId,
      gating: false,
      why: `countersign does not know ${request.subtype}`,
    };
  }
  const { data } = canUseTool.safeParse(request);
  if (!data)
    return { kind: 'unaskable', requestId, gating: true, why: 'the call has a form that is not known' };
  try {
    // What reads two ways must not be approved in one and run in the other.
    parseStrictJson(text);
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return { kind: 'unaskable', requestId, gating: true, why: `the call is ambiguous: ${error.message}` };
  }
  const { tool_name: toolName, input, tool_use_id: toolUseId = null } = data;
  return { kind: 'asks', requestId, call: { toolName, toolInput: input as JsonObject, toolUseId } };
}

function endedWith({ is_error: failed, result, permission_denials: denials }: z.infer<typeof ended>): Said {
  return {
    kind: 'ended',
    failure: failed ? result : null,
    denials: denials.map(({ tool_name: toolName, tool_use_id: toolUseId, tool_input: toolInput }) => ({
      toolName,
      toolUseId,
      toolInput: toolInput as JsonObject,
    })),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // no message
  }
}
