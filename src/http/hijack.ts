import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';

/**
 * Takes the answer out of Fastify's hands, to be written piece by piece; the headers set so far come along. Its head
 * leaves at once: a client that sees no answer begin within a minute may give up. No header is set on its own, since
 * Node would keep each of them for as long as the answer is open.
 */
export function hijack(reply: FastifyReply, headers: OutgoingHttpHeaders): FastifyReply['raw'] {
  reply.hijack();
  reply.raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers });
  reply.raw.flushHeaders();
  return reply.raw;
}

/** Writes a piece of an answer. @returns whether it left for a caller that was still there. */
export function pieceTaken(raw: FastifyReply['raw'], piece: string): Promise<boolean> {
  if (raw.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const lost = (): void => resolve(false);
    raw.once('close', lost);
    raw.write(piece, (error) => {
      raw.off('close', lost);
      resolve(!error);
    });
  });
}

/** Whether the whole answer left for a caller that was still there. Ask before the answer ends. */
export function answerTaken(raw: FastifyReply['raw']): Promise<boolean> {
  if (raw.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    raw.once('finish', () => resolve(true));
    raw.once('close', () => resolve(false));
  });
}
