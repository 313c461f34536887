import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js';
import type { AgentAdapter, Refusal, SpottedBody } from '../adapter';
import { failure } from '../answers';
import { textOf, type SpottedObject } from '../member-spotter';
import { McpController } from './mcp.controller';
import { McpEndpoint } from './mcp-endpoint';
import { REFUSED_BY_HTTP } from './mcp-messages';
import { MCP_CONNECTOR, refusedCall } from './mcp-tools';

interface Request {
  readonly id: RequestId;
  readonly method: string;
  readonly tool: string | null;
}

function requestOf({ id, method, 'params.name': tool }: SpottedObject<string>): Request[] {
  const name = textOf(method);
  const value = id?.value;
  if (name === null || (typeof value !== 'string' && typeof value !== 'number')) return [];
  return [{ id: value, method: name, tool: textOf(tool) }];
}

const isCall = ({ method }: Request): boolean => method === 'tools/call';

function refusalOf(request: Request, reason: string): JSONRPCMessage {
  const { id, tool } = request;
  return isCall(request)
    ? { jsonrpc: '2.0', id, result: refusedCall(tool, failure(reason)) }
    : { jsonrpc: '2.0', id, error: { code: REFUSED_BY_HTTP, message: reason } };
}

function refuse(body: SpottedBody, reason: string): Refusal | null {
  const requests = body.objects.flatMap(requestOf);
  const calls = requests.filter(isCall).length;
  if (calls === 0) return null;
  const answers = requests.map((each) => refusalOf(each, reason));
  return { calls, answer: answers.length === 1 && answers[0] ? answers[0] : answers };
}

/**
 * MCP over Streamable HTTP. A model takes an HTTP error of its permission prompt for a broken tool, so a refused tool
 * call gets a denial.
 */
export const MCP: AgentAdapter = {
  ...MCP_CONNECTOR,
  agent: null,
  tools: new Map(),
  route: 'mcp',
  members: [['id'], ['method'], ['params', 'name']],
  refuse,
  controller: McpController,
  providers: [McpEndpoint],
};
