import type { IncomingHttpHeaders } from 'node:http';
import {
  ErrorCode,
  isInitializeRequest,
  JSONRPCMessageSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
  type JSONRPCMessage,
} from '@modelcontextprotocol/sdk/types.js';

/** The limit of the SDK's own transport. */
const MAX_BATCH_SIZE = 100;
/** Code for errors that have an HTTP status but no JSON-RPC code; the same as in the SDK's transport. */
export const REFUSED_BY_HTTP = -32_000;

/** The code of the SDK's own transport, by which clients know that they must initialize again. */
export const SESSION_UNKNOWN = -32_001;

/** Refusal of a whole POST, with its HTTP status and its JSON-RPC code. */
export class McpRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The messages of one POST, by the rules of Streamable HTTP.
 *
 * @throws McpRefusal
 */
export function messagesOf(headers: IncomingHttpHeaders, body: unknown): JSONRPCMessage[] {
  const { 'content-type': type, 'mcp-protocol-version': version } = headers;
  const accept = headers.accept?.toLowerCase() ?? '';
  if (!accept.includes('application/json') || !accept.includes('text/event-stream'))
    throw new McpRefusal(406, REFUSED_BY_HTTP, 'Accept both application/json and text/event-stream');
  // Fastify has refused a body of another type by now; only a POST without a body has no type.
  if (type === undefined) throw new McpRefusal(415, REFUSED_BY_HTTP, 'Send application/json');
  const batch: unknown[] = Array.isArray(body) ? body : [body];
  if (batch.length > MAX_BATCH_SIZE)
    throw new McpRefusal(400, ErrorCode.InvalidRequest, `A batch holds at most ${MAX_BATCH_SIZE} messages`);
  const { success, data: messages } = JSONRPCMessageSchema.array().safeParse(batch);
  if (!success) throw new McpRefusal(400, ErrorCode.InvalidRequest, 'This is not a JSON-RPC message');
  if (messages.some(isInitializeRequest)) {
    if (messages.length > 1)
      throw new McpRefusal(400, ErrorCode.InvalidRequest, 'An initialization comes alone');
  } else if (version !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(String(version)))
    throw new McpRefusal(
      400,
      REFUSED_BY_HTTP,
      `Unsupported protocol version; supported are ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}`,
    );
  return messages;
}
