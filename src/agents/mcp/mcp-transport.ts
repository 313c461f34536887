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

/** One POST with requests: its caller, the stream for its answers, and the number of missing answers. */
export interface Exchange {
  readonly caller: Identity;
  /** Null: the POST has no valid session. */
  readonly session: string | null;
  readonly gone: AbortSignal;
  readonly stream: FastifyReply['raw'];
  unanswered: number;
}

/** A request with the id that its client gave it. */
export interface Asked {
  readonly id: RequestId;
  readonly exchange: Exchange;
  /** True if the answer was sent while the caller was connected; other answers of the same POST may follow. */
  readonly taken: Promise<boolean>;
}

interface Unanswered extends Asked {
  readonly answered: (taken: Promise<boolean>) => void;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T | Promise<T>) => void } {
  let resolve: (value: T | Promise<T>) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
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

  receive(request: JSONRPCRequest, exchange: Exchange): void {
    const number = (this.numbers += 1);
    const { promise: taken, resolve: answered } = deferred<boolean>();
    this.unanswered.set(number, { id: request.id, exchange, taken, answered });
    this.onmessage?.({ ...request, id: number });
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
    const { id, exchange, answered } = this.asked(message.id);
    this.unanswered.delete(message.id as RequestId);
    answered(this.answer(exchange, { ...message, id }));
    return Promise.resolve();
  }

  /** Answers a tool call whose parameters are wrong, without passing it on. */
  refuse({ id }: JSONRPCRequest, exchange: Exchange, result: CallToolResult): void {
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
