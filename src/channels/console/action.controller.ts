import { Controller, Get, Param, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Caller } from '../../access/access.guard';
import { callerGone } from '../../access/caller-gone';
import type { Identity } from '../../access/identity';
import { IdParamDto } from '../../approvals/approval-inputs';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { FindEarlierRequestsQuery } from '../../approvals/queries/find-earlier-requests';
import { Allow } from '../../http/allow';
import { ActionView, viewAction } from './action-view';

/** A request as a person reads it. */
@ApiTags('console')
@ApiBearerAuth()
@Controller('api/approvals/:id/display')
@Allow('operator')
export class ActionController {
  constructor(
    private readonly finished: FinishedApprovals,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The complete action for reading, as the console shows it' })
  @ApiOkResponse({ type: ActionView })
  async read(
    @Param() { id }: IdParamDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { approval } = await this.finished.get(id, 'everything', callerGone(reply, caller));
    return viewAction(approval, await this.queries.execute(new FindEarlierRequestsQuery(approval)));
  }
}
