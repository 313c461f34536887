import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Calls of one connection that may wait for their turn; each keeps memory, and costs time when the caller has gone. */
const MAX_AHEAD = 100;

const ahead = new WeakMap<Socket, number>();

/**
 * Begins a call when it is the turn of its answer. Node passes pipelined requests of one connection on at once. It
 * never reports a closed connection to the calls behind the first one, which would keep their resources for ever.
 *
 * Node reads on as long as nothing is answered, so a connection with too many calls that wait is closed.
 */
export function beginInTurn({ socket }: IncomingMessage, answer: ServerResponse, begin: () => void): void {
  if (answer.socket !== null) {
    begin();
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
    begin();
  });
}
