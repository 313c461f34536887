import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { callerOf } from '../access/access.guard';
import { problemOf, sendProblem } from '../http/problem';
import { isForGroups } from '../kernel/requirement';
import { ApprovalRefusal } from './approval';
import { ApprovalStore } from './approval-store';
import { viewOf } from './approval-view';
import { notFound } from './queries/viewer';
import { viewerOf } from '../access/viewer-of';

/** Sends a refusal with the approval as it is, so that the caller needs no second request, to somebody who may see it. */
@Catch(ApprovalRefusal)
export class ApprovalRefusalFilter implements ExceptionFilter<ApprovalRefusal> {
  constructor(private readonly store: ApprovalStore) {}

  /** Never rejects: nothing waits for it. */
  async catch(error: ApprovalRefusal, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    try {
      if (isForGroups(error.approval.required)) {
        const seen = await this.store.stateOf(
          error.approval.id,
          viewerOf(callerOf(http.getRequest<object>())),
        );
        if (seen === null) throw notFound();
      }
      sendProblem(reply, problemOf(error, { approval: viewOf(error.approval) }));
    } catch (failure) {
      sendProblem(reply, problemOf(failure));
    }
  }
}
