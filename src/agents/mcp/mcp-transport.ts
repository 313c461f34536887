import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolResult,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../../access/identity';
import { pieceTaken } from '../../http/hijack';
import type { UnreadAnswers } from '../../http/unread-answers';

/** A longer id or progress token stays in memory until the answer; so its body goes on to count. */
const MAX_SHORT = 1000;

/** One POST with requests: its caller, the stream for its answers, and the number of missing answers. */
export interface Exchange {
  readonly caller: Identity;
  /** Null: the POST has no valid session. */
  readonly session: string | null;
  readonly gone: AbortSignal;
  /** The header `Countersign-Wait-Seconds`, as it was sent. */
  readonly wait: string | string[] | undefined;
  readonly stream: FastifyReply['raw'];
  unanswered: number;
  /** Number of requests whose part of the body is in memory. */
  kept: number;
  /** Drops the body. */
  readonly drop: () => void;
}

/** A request with the id that its client gave it. */
export interface Asked {
  readonly id: RequestId;
  readonly exchange: Exchange;
  /** The arguments of a tool call, until `drop`. */
  arguments: unknown;
  /** Drops the arguments, which may be large: the call goes on without them. */
  readonly drop: () => void;
  /** True if the answer was sent while the caller was connected; other answers of the same POST may follow. */
  readonly taken: Promise<boolean>;
}

interface Unanswered extends Asked {
  isKept: boolean;
  readonly answered: (taken: Promise<boolean>) => void;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T | Promise<T>) => void } {
  let resolve: (value: T | Promise<T>) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

function dropPart(exchange: Exchange): void {
  exchange.kept -= 1;
  if (exchange.kept === 0) exchange.drop();
}

const eventOf = (message: JSONRPCMessage): string => `event: message\ndata: ${JSON.stringify(message)}\n\n`;

/**
 * Presents all POSTs to the SDK as one connection: a server and a transport for each would be most of a waiting call's
 * cost. All clients count their requests from the same number, so each request gets an internal number until it is
 * answered. Only requests pass: other messages refer to requests by the client's numbers.
 */
export class McpTransport implements Transport {
  onmessage?: NonNullable<Transport['onmessage']>;
  private readonly unanswered = new Map<RequestId, Unanswered>();
  private numbers = 0;

  constructor(private readonly unread: UnreadAnswers) {}

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  receive({ id, params = {}, ...request }: JSONRPCRequest, exchange: Exchange): void {
    const number = (this.numbers += 1);
    const { promise: taken, resolve: answered } = deferred<boolean>();
    const { name, arguments: args, _meta: { progressToken } = {} } = params;
    const isShort = JSON.stringify([id, progressToken]).length <= MAX_SHORT;
    const drop = () => (isShort ? this.letGo(asked) : undefined);
    const asked: Unanswered = { id, exchange, taken, answered, arguments: args, isKept: true, drop };
    this.unanswered.set(number, asked);
    // The SDK keeps a message until it is answered, so it gets nothing large of a tool call.
    const small =
      request.method === 'tools/call' ? { name, _meta: { progressToken }, arguments: {} } : params;
    this.onmessage?.({ ...request, id: number, params: small });
  }

  private letGo(asked: Unanswered): void {
    if (!asked.isKept) return;
    asked.isKept = false;
    asked.arguments = undefined;
    dropPart(asked.exchange);
  }

  /** @throws Error for a request that was already answered or never existed. */
  asked(number: RequestId | undefined): Unanswered {
    const asked = number === undefined ? undefined : this.unanswered.get(number);
    if (!asked) throw new Error('an MCP message belongs to no open request');
    return asked;
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if ('method' in message) {
      this.asked(options?.relatedRequestId).exchange.stream.write(eventOf(message));
      return Promise.resolve();
    }
    const asked = this.asked(message.id);
    const { id, exchange, answered } = asked;
    this.unanswered.delete(message.id as RequestId);
    this.letGo(asked);
    answered(this.answer(exchange, { ...message, id }));
    return Promise.resolve();
  }

  /** Answers a tool call whose parameters are wrong, without passing it on. */
  refuse({ id }: JSONRPCRequest, exchange: Exchange, result: CallToolResult): void {
    dropPart(exchange);
    void this.answer(exchange, { jsonrpc: '2.0', id, result });
  }

  private answer(exchange: Exchange, message: JSONRPCMessage): Promise<boolean> {
    exchange.unanswered -= 1;
    const { stream } = exchange;
    const event = eventOf(message);
    const release = this.unread.hold(stream, event);
    const taken = pieceTaken(stream, event).finally(release);
    if (exchange.unanswered === 0) stream.end();
    return taken;
  }
}
