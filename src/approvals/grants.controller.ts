import { Body, Controller, Delete, Get, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller } from '../access/access.guard';
import type { Identity } from '../access/identity';
import { Allow } from '../http/allow';
import { nameActor } from '../kernel/actor';
import { ActivePolicy } from '../policy/active-policy';
import { ListGrantsQuery } from '../policy/grants/list-grants';
import { RevokeGrantCommand } from '../policy/grants/revoke-grant';
import { IdParamDto } from './approval-inputs';
import { ApprovalRefusalFilter } from './approval-refusal.filter';
import { MakeGrantCommand, type MadeGrant } from './commands/make-grant';
import { MakeLateGrantCommand } from './commands/make-late-grant';
import { deciderOf } from './decider';
import { ShownDisplays } from './display';
import { GrantBodyDto, GrantListView, GrantOffersView, grantViewOf, MadeGrantView } from './grant-views';
import { FindGrantOffersQuery } from './queries/find-grant-offers';
import { viewerOf } from '../access/viewer-of';

@ApiTags('grants')
@ApiBearerAuth()
@UseFilters(ApprovalRefusalFilter)
@Controller('api')
export class GrantsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly policy: ActivePolicy,
    private readonly shown: ShownDisplays,
  ) {}

  @Get('approvals/:id/grant-offers')
  @Allow('operator')
  @ApiOperation({ summary: 'The grants that may be made from a pending request, narrowest first' })
  @ApiOkResponse({ type: GrantOffersView })
  async offers(@Param() { id }: IdParamDto, @Caller() caller: Identity) {
    const offers = await this.queries.execute(new FindGrantOffersQuery(id, viewerOf(caller)));
    return { offers: offers.map((offer) => ({ id: offer.id, scope: offer.words, covered: offer.covered })) };
  }

  @Get('grants')
  @Allow('operator')
  @ApiOperation({ summary: 'The grants that may still be used, newest first' })
  @ApiOkResponse({ type: GrantListView })
  async list() {
    return { items: (await this.queries.execute(new ListGrantsQuery())).map(grantViewOf) };
  }

  @Post('grants')
  @Allow('operator')
  @ApiOperation({ summary: 'Approve a request, and the next ones like it until the grant ends' })
  @ApiCreatedResponse({ type: MadeGrantView })
  async make(@Body() body: GrantBodyDto, @Caller() caller: Identity) {
    const { approvalId, offer, seconds, uses = null, place } = body;
    const bounds = { seconds, uses, inDirectory: place === 'cwd' };
    const shown = await this.shown.verify(approvalId, caller, body.displayDigest ?? null);
    const made = await this.commands.execute(
      new MakeGrantCommand(approvalId, offer, bounds, deciderOf(caller, this.policy.people), shown),
    );
    return viewOf(made);
  }

  @Post('approvals/:id/late-grant')
  @Allow('operator')
  @ApiOperation({
    summary: 'Allow one repetition of a request that expired, or whose agent left, within the last hour',
  })
  @ApiCreatedResponse({ type: MadeGrantView })
  async makeLate(@Param() { id }: IdParamDto, @Caller() caller: Identity) {
    return viewOf(
      await this.commands.execute(new MakeLateGrantCommand(id, deciderOf(caller, this.policy.people))),
    );
  }

  @Delete('grants/:id')
  @HttpCode(204)
  @Allow('operator')
  @ApiOperation({ summary: 'End a grant on all replicas' })
  async revoke(@Param() { id }: IdParamDto, @Caller() caller: Identity): Promise<void> {
    await this.commands.execute(new RevokeGrantCommand(id, deciderOf(caller, this.policy.people)));
  }
}

function viewOf({ id, scope, expiresAt, usesLeft, by }: Omit<MadeGrant, 'approval'>) {
  return { id, scope, expiresAt: expiresAt.toISOString(), usesLeft, by: nameActor(by) };
}
