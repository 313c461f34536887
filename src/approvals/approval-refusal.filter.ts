import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { problemOf, sendProblem } from '../http/problem';
import { ApprovalRefusal } from './approval';
import { viewOf } from './approval-view';

/** Sends a refusal with the approval as it is, so that the caller needs no second request. */
@Catch(ApprovalRefusal)
export class ApprovalRefusalFilter implements ExceptionFilter<ApprovalRefusal> {
  catch(error: ApprovalRefusal, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    sendProblem(reply, problemOf(error, { approval: viewOf(error.approval) }));
  }
}
