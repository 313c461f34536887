import type { FastifyReply } from 'fastify';
import { hijack } from './hijack';

/** Begins an answer of server-sent events. */
export function openEventStream(reply: FastifyReply): FastifyReply['raw'] {
  return hijack(reply, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
}
