import type { FastifyReply } from 'fastify';
import type { Identity } from '../access/identity';

/**
 * Aborts when the caller's connection closes before the answer is complete, and when its key is revoked; at once when
 * either has happened already. After the wait, call `caller.standing.confirm()` before sending an answer.
 */
export function callerGone(reply: FastifyReply, { standing }: Identity): AbortSignal {
  const controller = new AbortController();
  // A connection that closed before this call emits no second `close` event.
  if (reply.raw.destroyed) {
    controller.abort();
    return controller.signal;
  }
  standing.watch(controller);
  reply.raw.once('close', () => {
    standing.release(controller);
    controller.abort();
  });
  return controller.signal;
}
