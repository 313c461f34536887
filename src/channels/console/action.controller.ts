import { Controller, Get, Param, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Caller } from '../../access/access.guard';
import { callerGone } from '../../access/caller-gone';
import { ConsoleAdmins } from '../../access/console-admins';
import type { Identity } from '../../access/identity';
import { IdParamDto } from '../../approvals/approval-inputs';
import { KeyTurns } from '../../access/key-turns';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { FindEarlierRequestsQuery } from '../../approvals/queries/find-earlier-requests';
import { readerOf, viewerOf } from '../../access/viewer-of';
import { Allow } from '../../http/allow';
import { makeJson } from '../../kernel/json-steps';
import { runInTurns } from '../../kernel/run-in-turns';
import { FirstViews } from './first-views';
import { ActionView, viewAction } from './action-view';

/** A request as a person reads it. */
@ApiTags('console')
@ApiBearerAuth()
@Controller('api/approvals/:id/display')
@Allow('operator')
export class ActionController {
  /** A view of a large request is several times its size. */
  private readonly turns = new KeyTurns('views');

  constructor(
    private readonly finished: FinishedApprovals,
    private readonly queries: QueryBus,
    private readonly views: FirstViews,
    private readonly admins: ConsoleAdmins,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The complete action for reading, as the console shows it' })
  @ApiOkResponse({ type: ActionView })
  async read(
    @Param() { id }: IdParamDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = callerGone(reply, caller);
    const body = await this.turns.take(caller.keyId, async () => {
      const { approval } = await this.finished.get(id, viewerOf(caller), gone);
      this.views.view(approval);
      const earlier = await this.queries.execute(new FindEarlierRequestsQuery(approval, readerOf(caller)));
      return runInTurns(makeJson(await viewAction(approval, earlier, this.admins.includes(caller))));
    });
    void reply.type('application/json; charset=utf-8');
    return body;
  }
}
