import type { FastifyReply } from 'fastify';
import { joinCorrelation } from '../logging/correlation';

export const CORRELATION_HEADER = 'x-correlation-id';

/** The answer tells of what began under this id; a caller that named no id of its own is given it. */
export function answerUnder(correlationId: string, reply: FastifyReply): void {
  void reply.header(CORRELATION_HEADER, joinCorrelation(correlationId));
}
