import { HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Identity } from './identity';

/** Not an error of the service: it is not logged, and nobody reads the answer. */
const hungUp = () => new HttpException('The caller hung up.', 400);

/**
 * Aborts when the caller's connection closes before the answer is complete, and when its key is revoked; at once when
 * either has happened already. The reason is the error to answer with. After the wait, call `caller.standing.confirm()`
 * before sending an answer.
 */
export function callerGone(reply: FastifyReply, { standing }: Identity): AbortSignal {
  const controller = new AbortController();
  // A connection that closed before this call emits no second `close` event.
  if (reply.raw.destroyed) {
    controller.abort(hungUp());
    return controller.signal;
  }
  standing.watch(controller);
  reply.raw.once('close', () => {
    standing.release(controller);
    controller.abort(hungUp());
  });
  return controller.signal;
}
