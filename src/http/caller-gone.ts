import type { FastifyReply } from 'fastify';

/** Aborts when the caller's connection closes before the answer was complete; at once when it has closed already. */
export function callerGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  // Who left while we were busy elsewhere closes no second time.
  if (reply.raw.destroyed) controller.abort();
  else reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
