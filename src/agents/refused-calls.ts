import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js';
import { failure } from './answers';
import { gatingEventNamed, hookOutput, type GatingEvent } from './claude-code/claude-code-hook';
import type { Connector } from './connector-events';
import { REFUSED_BY_HTTP } from './mcp/mcp-messages';
import { refusedCall } from './mcp/mcp-tools';
import type { Spotted, SpottedMember, SpottedObject, Wanted } from './member-spotter';

type Member = 'event' | 'id' | 'method' | 'tool';

/** The members of a body that determine the form of the answer. */
export const TELLING: Wanted<Member> = {
  event: ['hook_event_name'],
  id: ['id'],
  method: ['method'],
  tool: ['params', 'name'],
};

export type SpottedBody = Spotted<Member>;

/** Result for a body of which nothing is known. */
export const NOTHING_SPOTTED: SpottedBody = { isList: false, objects: [] };

/** The answer to refused calls, with status 200. */
export interface Denial {
  readonly connector: Connector;
  /** Number of calls that it denies. */
  readonly calls: number;
  readonly answer: object;
}

/**
 * The path of a URL in lower case, with single-byte escapes decoded as the router decodes them. Callers of a proxy send
 * the whole URL, and the router accepts it.
 */
function pathOf(url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/.*?\//i, '/').split(/[?#]/, 1);
  return path
    .replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .toLowerCase();
}

const CONNECTORS = /^\/+connectors(?![\w-])/;
const CLAUDE_CODE = /^\/+connectors\/+claude-code(?![\w-])/;

/** True if a refused POST to this URL may have been meant for a connector, in any spelling. */
export const mayMeanConnector = (url: string): boolean => CONNECTORS.test(pathOf(url));

interface Request {
  readonly id: RequestId;
  readonly method: string;
  readonly tool: string | null;
}

const textOf = (member: SpottedMember | undefined): string | null =>
  typeof member?.value === 'string' ? member.value : null;

function requestOf({ id, method, tool }: SpottedObject<Member>): Request[] {
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

/** The event's name; undefined if it is missing, is not a string, or has two values. */
function eventNameIn({ isList, objects: [object] }: SpottedBody): string | undefined {
  const event = isList ? undefined : object?.event;
  return (event?.isAmbiguous === false ? textOf(event) : null) ?? undefined;
}

function denialOfHook(event: GatingEvent | null, reason: string): Denial {
  const answer = event === null ? {} : hookOutput(event, { answer: failure(reason), ending: null });
  return { connector: 'hook', calls: 1, answer };
}

/**
 * The denial for a refused POST to a connector. Claude Code takes an HTTP error of its hook as no decision, and some
 * permission modes then run the tool. A model takes an HTTP error of its permission prompt for a broken tool. A
 * mistyped address must fail closed too, so for these the body determines the connector.
 *
 * @returns null if the refusal stays an HTTP error: no caller waits for a decision, or its form is unknown.
 */
export function denialFor(url: string, body: SpottedBody, reason: string): Denial | null {
  const path = pathOf(url);
  if (!CONNECTORS.test(path)) return null;
  const name = eventNameIn(body);
  const event = gatingEventNamed(name);
  if (CLAUDE_CODE.test(path)) return denialOfHook(event, reason);
  const requests = body.objects.flatMap(requestOf);
  const calls = requests.filter(isCall).length;
  if (calls > 0) {
    const answers = requests.map((each) => refusalOf(each, reason));
    return { connector: 'mcp', calls, answer: answers.length === 1 && answers[0] ? answers[0] : answers };
  }
  return name !== undefined && event !== null ? denialOfHook(event, reason) : null;
}
