import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';

/**
 * Takes the answer over from Fastify, to be written in pieces; headers set so far are included. Sends the head at once,
 * since a client may give up if no answer begins within a minute. Sets all headers in one call, since Node would keep
 * single ones for as long as the answer is open.
 */
export function hijack(reply: FastifyReply, headers: OutgoingHttpHeaders): FastifyReply['raw'] {
  reply.hijack();
  reply.raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers });
  reply.raw.flushHeaders();
  return reply.raw;
}

/** Writes a piece of an answer. @returns true if it was sent before the caller's connection closed. */
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

/** True if the whole answer was sent before the caller's connection closed. Call it before the answer ends. */
export function answerTaken(raw: FastifyReply['raw']): Promise<boolean> {
  if (raw.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    raw.once('finish', () => resolve(true));
    raw.once('close', () => resolve(false));
  });
}
