import { labelActor } from '../../kernel/actor';
import { randomUUID } from 'node:crypto';
import type { CallToolResult, RequestId, Tool } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { inputOf } from '../../approvals/approval';
import { jsonObjectSchema } from '../../kernel/json-object';
import { parsed } from '../../http/zod';
import { CLAUDE_CODE } from '../../cards/known-agents/claude-code';
import { DomainError, InvalidInput } from '../../kernel/errors';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { questionsOf } from '../../kernel/questions';
import { isQuestion } from '../../kernel/question-tools';
import { parseStrictJsonInTurns, StrictJsonError } from '../../kernel/strict-json';
import type { Connector } from '../adapter';
import { QUESTION_ADVICE, type Answer, type Outcome } from '../answers';
import type { Question } from '../held-calls';

/** Requests of MCP clients: they report nothing afterwards. */
export const MCP_CONNECTOR: Connector = { connector: 'mcp', reports: false };

/** The caller: the name of its key, its MCP session, if valid, and the id that a cancellation would name. */
export interface McpCaller {
  readonly name: string;
  readonly session: string | null;
  readonly requestId: RequestId;
}

export interface ApprovalTool {
  readonly definition: Tool;
  /** @throws InvalidInput naming every fault of the arguments. */
  readonly question: (args: unknown, caller: McpCaller) => Question | Promise<Question>;
  readonly result: (outcome: Outcome) => CallToolResult;
  /** True if the caller goes on without an answer after some time, so that the answer must come before. */
  readonly hasDeadline: boolean;
  /** The result for a call that needs no decision; null for one that does. */
  readonly undecided?: (args: unknown) => CallToolResult | null;
}

const label = z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters');

/** Arguments as Claude Code sends them; newer versions may send more. */
const permissionSchema = z.object({
  tool_name: label,
  input: jsonObjectSchema,
  tool_use_id: label.nullish(),
});

/** Strict, since a model writes these arguments: a mistyped timeout must be an error, not silently ignored. */
const requestSchema = z.strictObject({
  question: z.string().min(1, 'must not be empty').max(2000, 'must have at most 2000 characters'),
  action: z.unknown().optional(),
  timeoutSeconds: z.int('must be a whole number of seconds').min(1, 'must be at least 1').optional(),
});

/** The session's id; without a valid session, every call gets a random id of its own. */
const sessionId = (session: string | null): string => session ?? randomUUID();

const inSession = (session: string | null, identity: JsonObject): JsonObject | null =>
  session === null ? null : { session, ...identity };

const text = (content: string): CallToolResult['content'] => [{ type: 'text', text: content }];

/** Tool for Claude Code's `--permission-prompt-tool`: the result is always a decision, as JSON in a text. */
const approve: ApprovalTool = {
  definition: {
    name: 'approve',
    title: 'Permission prompt',
    description:
      'Permission prompt for Claude Code (--permission-prompt-tool): asks human operators whether a tool may run, and waits.',
    inputSchema: {
      type: 'object',
      properties: {
        tool_name: { type: 'string', description: 'The tool that wants to run' },
        input: { type: 'object', description: 'Its complete input' },
        tool_use_id: {
          type: 'string',
          description: 'The id of the tool use; a retry with it, in the same session, joins the request',
        },
      },
      required: ['tool_name', 'input'],
    },
  },
  question(args, { name, session, requestId }) {
    const { tool_name: toolName, input: toolInput, tool_use_id: toolUseId } = parsed(permissionSchema, args);
    if (isQuestion({ toolName }) && questionsOf({ toolName, toolInput }) === null)
      throw new DomainError('approval.not-decidable', QUESTION_ADVICE);
    return {
      connector: MCP_CONNECTOR.connector,
      body: {
        agentId: name,
        sessionId: sessionId(session),
        toolName,
        toolInput,
        toolUseId,
        metadata: { mcp: { requestId } },
      },
      identity: inSession(session, {
        tool: 'approve',
        ...(typeof toolUseId === 'string' ? { toolUseId } : { requestId }),
      }),
    };
  },
  result({ answer, ending }) {
    const decision =
      answer.allow && ending?.kind === 'settled'
        ? { behavior: 'allow', updatedInput: inputOf(ending.approval) }
        : { behavior: 'deny', message: answer.message };
    return { content: text(JSON.stringify(decision)) };
  },
  hasDeadline: false,
};

/** Arguments as the settings in docs/agents make the hook of an agent send them. */
const gateSchema = z.object({
  session_id: label,
  turn_id: label.nullish(),
  tool_use_id: label.nullish(),
  tool_name: label,
  tool_input: z.union([jsonObjectSchema, z.string()], { error: 'must be a JSON object or a string' }),
  cwd: z.string().min(1, 'must not be empty').max(4096, 'must have at most 4096 characters').nullish(),
  permission_mode: label.nullish(),
});

/**
 * The input in a text: the object that it is the JSON of, else the plain text that the tool gets.
 *
 * @throws InvalidInput for JSON that has two readings, or too many parts.
 */
async function inputIn(written: string): Promise<JsonObject> {
  const plain = { input: written };
  if (!/^[ \t\n\r]*\{/.test(written)) return plain;
  try {
    return (await parseStrictJsonInTurns(written)) as JsonObject;
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    if (error.isOtherText) return plain;
    throw new InvalidInput(
      error.errors.map(({ path, message }) => ({
        path: path ? `tool_input.${path}` : 'tool_input',
        message,
      })),
    );
  }
}

/** Tool for hooks of the type `mcp_tool`. An agent that gets an error of the hook runs the tool, so it always decides. */
const gate: ApprovalTool = {
  definition: {
    name: 'gate',
    title: 'Gate for hooks',
    description:
      'For PreToolUse hooks of the type mcp_tool (Codex, Claude Code): asks human operators whether a tool may run, and waits.',
    inputSchema: {
      type: 'object',
      properties: {
        session_id: { type: 'string' },
        turn_id: { type: 'string' },
        tool_use_id: {
          type: 'string',
          description: 'The id of the tool use; a retry with it, in the same session, joins the request',
        },
        tool_name: { type: 'string', description: 'The tool that wants to run' },
        tool_input: { type: ['object', 'string'], description: 'Its complete input' },
        cwd: { type: 'string' },
        permission_mode: { type: 'string' },
      },
      required: ['session_id', 'tool_name', 'tool_input'],
    },
  },
  async question(args, { name, session, requestId }) {
    const {
      session_id: sessionId,
      turn_id: turnId = null,
      tool_use_id: toolUseId = null,
      tool_name: toolName,
      tool_input: input,
      cwd,
      permission_mode: permissionMode = null,
    } = parsed(gateSchema, args);
    const toolInput = typeof input === 'string' ? await inputIn(input) : input;
    return {
      connector: MCP_CONNECTOR.connector,
      body: {
        ...{ agentId: name, sessionId, toolName, toolInput, toolUseId, cwd },
        metadata: { mcp: { requestId, session }, gate: { permissionMode } },
      },
      // The card shows the mode, so another one makes it another question.
      identity: { tool: 'gate', sessionId, turnId, toolUseId, permissionMode },
    };
  },
  result({ answer: { allow, message } }) {
    const decision = {
      hookEventName: 'PreToolUse',
      permissionDecision: allow ? 'allow' : 'deny',
      permissionDecisionReason: message,
    };
    return { content: text(JSON.stringify({ hookSpecificOutput: decision })) };
  },
  hasDeadline: true,
  undecided(args) {
    const name = (args as { tool_name?: unknown } | null | undefined)?.tool_name;
    const effect = typeof name === 'string' ? CLAUDE_CODE.tool(name)?.effect : undefined;
    return effect === 'reads' || effect === 'asks' ? { content: text('{}') } : null;
  },
};

const nullable = (type: string) => ({ type: [type, 'null'] });

const requestApproval: ApprovalTool = {
  definition: {
    name: 'request_approval',
    title: 'Ask a human for approval',
    description:
      'Asks human operators to approve something before you do it, and waits for their answer. Act only if "approved" is true; ' +
      'anything else, no answer included, means: do not do it.',
    inputSchema: {
      type: 'object',
      properties: {
        question: {
          type: 'string',
          maxLength: 2000,
          description: 'What you want to do and why, for a person to read',
        },
        action: {
          description:
            'Exactly what would be done: a command, a request body, any JSON. It is shown in full.',
        },
        timeoutSeconds: {
          type: 'integer',
          minimum: 1,
          description: 'How long to wait; the service has a default',
        },
      },
      required: ['question'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: {
        approved: { type: 'boolean' },
        status: { type: 'string', enum: ['approved', 'rejected', 'expired', 'cancelled', 'pending'] },
        approvalId: { type: 'string' },
        decidedBy: nullable('string'),
        reason: nullable('string'),
        message: { type: 'string' },
      },
      required: ['approved', 'status', 'approvalId', 'decidedBy', 'reason', 'message'],
    },
  },
  question(args, { name, session, requestId }) {
    const { question, action, timeoutSeconds } = parsed(requestSchema, args);
    const toolInput = action === undefined ? { question } : { question, action: action as JsonValue };
    const asked = { agentId: name, sessionId: sessionId(session), toolName: 'request_approval', toolInput };
    return {
      connector: MCP_CONNECTOR.connector,
      body: { ...asked, timeoutSeconds, metadata: { mcp: { requestId } } },
      identity: inSession(session, { tool: 'request_approval', requestId }),
    };
  },
  result({ answer, ending }) {
    if (!ending) return { content: text(answer.message), isError: true };
    const { approval } = ending;
    const decision = 'decision' in approval ? approval.decision : null;
    return {
      content: text(answer.message),
      structuredContent: {
        approved: answer.allow,
        status: approval.status,
        approvalId: approval.id,
        decidedBy: decision ? labelActor(decision.by) : null,
        reason: decision ? decision.reason : 'reason' in approval ? approval.reason : null,
        message: answer.message,
      },
    };
  },
  hasDeadline: false,
};

export const APPROVAL_TOOLS: ReadonlyMap<string, ApprovalTool> = new Map(
  [approve, requestApproval, gate].map((tool) => [tool.definition.name, tool]),
);

/** The answer to a call for which no request could be made. `tool`: null if unknown. */
export function refusedCall(tool: string | null, answer: Answer): CallToolResult {
  const known = tool === null ? undefined : APPROVAL_TOOLS.get(tool);
  return known?.result({ answer, ending: null }) ?? { content: text(answer.message), isError: true };
}
