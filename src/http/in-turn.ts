import type { ServerResponse } from 'node:http';

/**
 * Begins a call when it is the turn of its answer. Node passes pipelined requests of one connection on at once. It
 * never reports a closed connection to the calls behind the first one, which would keep their resources for ever.
 */
export function beginInTurn(answer: ServerResponse, begin: () => void): void {
  if (answer.socket === null) answer.once('socket', () => begin());
  else begin();
}
