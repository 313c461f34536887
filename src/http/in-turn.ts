import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Calls of one connection that may wait for their turn; each keeps memory, and costs time when the caller has gone. */
const MAX_AHEAD = 100;

const ahead = new WeakMap<Socket, number>();
/** The last answer of each connection whose turn came. */
const inTurn = new WeakMap<Socket, ServerResponse>();

/**
 * Begins a call when it is the turn of its answer. Node passes pipelined requests of one connection on at once. It
 * never reports a closed connection to the calls behind the first one, which would keep their resources for ever.
 *
 * Node reads on as long as nothing is answered, so a connection with too many calls that wait is closed.
 */
export function beginInTurn({ socket }: IncomingMessage, answer: ServerResponse, begin: () => void): void {
  const beginNow = () => {
    inTurn.set(socket, answer);
    begin();
  };
  if (answer.socket !== null) {
    beginNow();
    return;
  }
  const waiting = (ahead.get(socket) ?? 0) + 1;
  if (waiting > MAX_AHEAD) {
    socket.destroy();
    return;
  }
  ahead.set(socket, waiting);
  answer.once('socket', () => {
    ahead.set(socket, (ahead.get(socket) ?? 1) - 1);
    beginNow();
  });
}

/**
 * True if a caller would take bytes that are written now for a part of an answer: one has begun, or a complete request
 * waits for one.
 */
export function owesAnswer(socket: Socket): boolean {
  const answer = inTurn.get(socket);
  // Node takes the socket from an answer that is complete.
  return answer?.socket === socket && (answer.headersSent || answer.req.complete);
}
