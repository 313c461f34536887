import type { FastifyReply } from 'fastify';
import type { Identity } from '../access/identity';

/**
 * Aborts when the caller's connection closes before the answer was complete, and when its key is revoked; at once when
 * either is so already. After the wait, ask `caller.standing.confirm()` before anything is told.
 */
export function callerGone(reply: FastifyReply, { standing }: Identity): AbortSignal {
  const controller = new AbortController();
  // Who left while we were busy elsewhere closes no second time.
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
