import type { IncomingHttpHeaders } from 'node:http';
import {
  ErrorCode,
  isInitializeRequest,
  JSONRPCMessageSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
  type JSONRPCMessage,
} from '@modelcontextprotocol/sdk/types.js';

/** As many as the SDK's own transport takes. */
const MAX_BATCH_SIZE = 100;
/** Where HTTP has a word for it and JSON-RPC has none; the SDK's transport says the same. */
export const REFUSED_BY_HTTP = -32_000;

/** As the SDK's own transport says it; clients know by it that they must initialize again. */
export const SESSION_UNKNOWN = -32_001;

/** Why a POST is not taken at all, for HTTP and for JSON-RPC. */
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
  const { accept = '', 'content-type': type, 'mcp-protocol-version': version } = headers;
  if (!accept.includes('application/json') || !accept.includes('text/event-stream'))
    throw new McpRefusal(406, REFUSED_BY_HTTP, 'Accept both application/json and text/event-stream');
  // A body of another type has not come this far; no body comes without any.
  if (type === undefined) throw new McpRefusal(415, REFUSED_BY_HTTP, 'Send application/json');
  const batch: unknown[] = Array.isArray(body) ? body : [body];
  if (batch.length > MAX_BATCH_SIZE)
    throw new McpRefusal(400, ErrorCode.InvalidRequest, `A batch holds at most ${MAX_BATCH_SIZE} messages`);
  const { success, data: messages } = JSONRPCMessageSchema.array().safeParse(batch);
  if (!success) throw new McpRefusal(400, ErrorCode.ParseError, 'This is no JSON-RPC message');
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
