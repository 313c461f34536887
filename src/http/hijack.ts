import type { FastifyReply } from 'fastify';

/** Takes the answer out of Fastify's hands, to be written piece by piece; the headers set so far come along. */
export function hijack(reply: FastifyReply): FastifyReply['raw'] {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  return reply.raw;
}

/** Whether the whole answer left for a caller that was still there. Ask before the answer ends. */
export function answerTaken(raw: FastifyReply['raw']): Promise<boolean> {
  if (raw.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    raw.once('finish', () => resolve(true));
    raw.once('close', () => resolve(false));
  });
}
