import type { FastifyReply } from 'fastify';
import { joinCorrelation } from '../logging/correlation';

export const CORRELATION_HEADER = 'x-correlation-id';

/** Sets the correlation header of the answer: the id of its cause, unless the caller named an id of its own. */
export function answerUnder(correlationId: string, reply: FastifyReply): void {
  void reply.header(CORRELATION_HEADER, joinCorrelation(correlationId));
}
