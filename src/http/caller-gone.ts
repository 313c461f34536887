import type { FastifyReply } from 'fastify';

/** Aborts when the caller's connection closes before the answer was complete. */
export function callerGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
