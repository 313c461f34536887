import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { problemOf, sendProblem } from '../http/problem';
import { PolicyInvalid } from './policy-refusals';

/** Sends every finding about a refused document, with its place. */
@Catch(PolicyInvalid)
export class PolicyInvalidFilter implements ExceptionFilter<PolicyInvalid> {
  catch(error: PolicyInvalid, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    sendProblem(reply, problemOf(error, { findings: error.findings }));
  }
}
