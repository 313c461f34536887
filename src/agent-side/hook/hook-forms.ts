import { z } from 'zod';
import { GEMINI } from '../../cards/known-agents/gemini';
import type { JsonObject } from '../../kernel/json';
import { jsonObjectSchema } from '../../kernel/json-object';
import { parseStrictJson } from '../../kernel/strict-json';

/** A tool call as a hook describes it. */
export interface HookCall {
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly cwd?: string;
  /** True for a tool that only reads: nobody is asked, unless the rules deny the call or ask for it by name. */
  readonly reads?: boolean;
}

/** The outputs by which a hook answers its agent. */
export interface HookAnswer {
  readonly stdout?: object;
  readonly stderr?: string;
  readonly exitCode: number;
}

/** The protocol of one agent's command hooks. */
export interface HookForm {
  /** Seconds for the operators, where the command line says nothing. Less than the agent's own default for its hooks. */
  readonly waitSeconds: number;
  /** Standard error from the start on. It decides where the agent kills the hook, and nothing else was written. */
  readonly provisional: object | null;
  /** @throws ZodError or StrictJsonError for an unknown form */
  readonly read: (input: JsonObject, env: NodeJS.ProcessEnv) => HookCall;
  readonly allow: HookAnswer;
  readonly deny: (message: string) => HookAnswer;
  /** The answer that decides nothing, after which the agent applies its own rules. */
  readonly undecided: HookAnswer;
}

/** The code by which a hook blocks. No agent takes it for an approval. */
const BLOCKED = 2;

const label = z.string().min(1);
/** Empty where the agent knows no directory. */
const directory = z
  .string()
  .nullish()
  .transform((cwd) => cwd || undefined);

const beforeTool = z.object({
  hook_event_name: z.literal('BeforeTool'),
  session_id: label,
  cwd: directory,
  tool_name: label,
  tool_input: jsonObjectSchema,
});

/**
 * Gemini CLI. It reads standard output, and standard error where that is empty, whatever the exit code: JSON decides; a
 * text denies with exit code 2 and allows with 0, with 1 and after a signal.
 */
const GEMINI_FORM: HookForm = {
  waitSeconds: 45,
  provisional: { decision: 'deny', reason: 'Countersign: the hook was ended before anybody decided.' },
  read(input) {
    const {
      session_id: sessionId,
      tool_name: toolName,
      tool_input: toolInput,
      cwd,
    } = beforeTool.parse(input);
    const reads = GEMINI.tool(toolName)?.effect === 'reads';
    return { sessionId, toolName, toolInput, ...(cwd && { cwd }), ...(reads && { reads }) };
  },
  allow: { stdout: { decision: 'allow' }, exitCode: 0 },
  deny: (reason) => ({ stdout: { decision: 'deny', reason }, exitCode: BLOCKED }),
  undecided: { stdout: {}, exitCode: 0 },
};

const cursorSession = {
  conversation_id: label,
  cwd: directory,
  workspace_roots: z.array(z.string()).nullish(),
};
const cursorEvent = z.discriminatedUnion('hook_event_name', [
  z.object({
    hook_event_name: z.literal('beforeShellExecution'),
    ...cursorSession,
    command: z.string(),
    sandbox: z.boolean().nullish(),
  }),
  z.object({
    hook_event_name: z.literal('beforeMCPExecution'),
    ...cursorSession,
    tool_name: label,
    tool_input: z.union([jsonObjectSchema, z.string()]),
    url: z.string().nullish(),
    command: z.string().nullish(),
  }),
]);

/** Cursor. With `failClosed` it blocks also where a hook fails; without, only by an answer or by exit code 2. */
const CURSOR_FORM: HookForm = {
  waitSeconds: 45,
  provisional: null,
  read(input) {
    const event = cursorEvent.parse(input);
    const { conversation_id: sessionId, cwd = event.workspace_roots?.[0] } = event;
    const place = { sessionId, ...(cwd && { cwd }) };
    if (event.hook_event_name === 'beforeShellExecution') {
      const { command, sandbox } = event;
      const toolInput = { command, ...(typeof sandbox === 'boolean' && { sandbox }) };
      return { ...place, toolName: 'Shell', toolInput };
    }
    const { tool_name: name, tool_input: written, url, command } = event;
    const args = typeof written === 'string' ? jsonObjectSchema.parse(parseStrictJson(written)) : written;
    // Two servers may have a tool of one name, so the server is a part of the action.
    return {
      ...place,
      toolName: `MCP:${name}`,
      toolInput: { server: url ?? command ?? null, arguments: args },
    };
  },
  allow: { stdout: { permission: 'allow' }, exitCode: 0 },
  deny: (message) => ({
    stdout: { permission: 'deny', user_message: message, agent_message: message },
    stderr: message,
    exitCode: 0,
  }),
  undecided: { stdout: {}, exitCode: 0 },
};

/** Any agent whose hooks are commands that block with exit code 2. The whole input is the action. */
const SHELL_FORM: HookForm = {
  waitSeconds: 1800,
  provisional: null,
  read: (toolInput, { COUNTERSIGN_SESSION: session, COUNTERSIGN_TOOL: tool }) => ({
    sessionId: session || `shell-${process.ppid}`,
    toolName: tool || 'hook',
    toolInput,
  }),
  allow: { exitCode: 0 },
  deny: (message) => ({ stderr: message, exitCode: BLOCKED }),
  undecided: { exitCode: 0 },
};

export const HOOK_FORMS = { gemini: GEMINI_FORM, cursor: CURSOR_FORM, shell: SHELL_FORM } as const;

export type HookName = keyof typeof HOOK_FORMS;
