import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  UseFilters,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RouteConfig } from '@nestjs/platform-fastify';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller } from '../access/access.guard';
import { ConsoleAdmins } from '../access/console-admins';
import { DOCUMENT_BODY } from '../access/body-parser';
import { KeyTurns } from '../access/key-turns';
import { actorOf, type Identity } from '../access/identity';
import { readerOf } from '../access/viewer-of';
import { Allow } from '../http/allow';
import { LINES, progressLines } from '../http/progress-lines';
import { refuseAnyQuery } from '../http/zod';
import type { Reader } from '../kernel/viewer';
import { Clock } from '../kernel/clock';
import { InvalidInput } from '../kernel/errors';
import { ActivePolicy } from './active-policy';
import { ApplyPolicyCommand } from './commands/apply-policy';
import { ApproveProposalCommand, ProposePolicyCommand } from './commands/propose-policy';
import { ResumePolicyCommand } from './commands/resume-policy';
import { StopPolicyCommand } from './commands/stop-policy';
import { policyJsonSchema } from './document/policy-schema';
import { PolicyInvalidFilter } from './policy-invalid.filter';
import {
  AppliedView,
  CheckView,
  EvaluateBodyDto,
  EvaluationView,
  HistoryView,
  PolicyView,
  ProposalsView,
  ProposalView,
  ReplayView,
  StopView,
  SuggestionsView,
  VersionView,
} from './policy-views';
import { SuggestRulesQuery } from './queries/suggest-rules';
import { TestPolicyQuery } from './queries/test-policy';
import { GetPolicyQuery, GetPolicyVersionQuery } from './queries/get-policy';
import { ListActivationsQuery } from './queries/list-activations';
import { ListProposalsQuery } from './queries/list-proposals';
import { PolicyThreads } from './policy-threads';

const MAX_LISTED = 200;
const MAX_COMMENT_LENGTH = 300;

/** The version that a change shall replace: `If-Match`, or `If-None-Match: *` for the first policy. */
function replacedBy(match: string | undefined, noneMatch: string | undefined): string | null {
  if (noneMatch?.trim() === '*' && match === undefined) return null;
  const version = match?.trim().replace(/^"(.*)"$/, '$1');
  if (version !== undefined && /^sha256:[0-9a-f]{64}$/.test(version) && noneMatch === undefined)
    return version;
  throw new InvalidInput([
    {
      path: 'If-Match',
      message:
        'send the active version (GET /api/policy) as If-Match, or If-None-Match: * for the first policy',
    },
  ]);
}

/** The parser of the route reads a document as text. */
function textOf(body: unknown): string {
  if (typeof body === 'string' && body.trim() !== '') return body;
  throw new InvalidInput([
    { path: '', message: 'send the policy document, with Content-Type application/yaml or application/json' },
  ]);
}

class VersionParamDto extends createZodDto(
  z.strictObject({ version: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits') }),
) {}
const MS_OF = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

class SinceQueryDto extends createZodDto(
  z.strictObject({
    since: z
      .string()
      .regex(/^[1-9]\d{0,3}[mhd]$/, 'must be a duration such as 30m, 12h or 7d')
      .default('7d'),
  }),
) {}
const override = z.enum(['true', 'false'], 'must be true or false').default('false');
const comment = z
  .string()
  .min(1)
  .max(MAX_COMMENT_LENGTH)
  .regex(/^\P{Cc}*$/u, 'must be one line, without control characters')
  .optional()
  .meta({ description: 'The reason for the change, for the operators.' });

class OverrideQueryDto extends createZodDto(z.strictObject({ override })) {}
class ChangeQueryDto extends createZodDto(z.strictObject({ override, comment })) {}
class CommentQueryDto extends createZodDto(z.strictObject({ comment })) {}
class ProposalParamDto extends createZodDto(z.strictObject({ id: z.uuid() })) {}
class RollbackBodyDto extends createZodDto(
  z.strictObject({ version: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits') }),
) {}

/** A replay tells much about what it reads. A key that applies policies reads everything. */
const readerFor = (caller: Identity): Reader | null => (caller.role === 'admin' ? null : readerOf(caller));

@ApiTags('policy')
@ApiBearerAuth()
@UseFilters(PolicyInvalidFilter)
@Controller('api/policy')
export class PolicyController {
  private readonly replays = new KeyTurns('replays');

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly clock: Clock,
    private readonly active: ActivePolicy,
    private readonly threads: PolicyThreads,
    private readonly admins: ConsoleAdmins,
  ) {}

  @Get()
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'The active policy document, and whether its rules are stopped' })
  @ApiOkResponse({ type: PolicyView })
  async current(@Query() query: unknown, @Caller() caller: Identity) {
    refuseAnyQuery(query);
    const { active, activation, stopped } = await this.queries.execute(new GetPolicyQuery());
    return {
      version: active?.version ?? null,
      source: active?.source ?? null,
      document: active ? (JSON.parse(active.document) as object) : null,
      appliedAt: activation?.appliedAt.toISOString() ?? null,
      by: activation?.by ?? null,
      stopped: stopped && { at: stopped.at.toISOString(), by: stopped.by },
      mayChange: caller.role === 'admin' || this.admins.includes(caller),
    };
  }

  @Put()
  @Allow('admin')
  @RouteConfig(DOCUMENT_BODY)
  @ApiConsumes('application/yaml', 'application/json')
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOperation({ summary: 'Make a document the active policy' })
  @ApiOkResponse({ type: AppliedView })
  async apply(
    @Body() body: unknown,
    @Headers('if-match') match: string | undefined,
    @Headers('if-none-match') noneMatch: string | undefined,
    @Query() { override, comment }: ChangeQueryDto,
    @Caller() caller: Identity,
  ) {
    const replaces = replacedBy(match, noneMatch);
    const applied = await this.commands.execute(
      new ApplyPolicyCommand(textOf(body), replaces, actorOf(caller), {
        cause: 'apply',
        override: override === 'true',
        comment: comment ?? null,
      }),
    );
    return { ...applied, appliedAt: applied.appliedAt.toISOString() };
  }

  @Get('schema.json')
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'JSON Schema of a policy document, for editors' })
  schema(@Query() query: unknown) {
    refuseAnyQuery(query);
    return policyJsonSchema();
  }

  @Get('versions')
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'The versions that were active, newest first' })
  @ApiOkResponse({ type: HistoryView })
  async history(@Query() query: unknown) {
    refuseAnyQuery(query);
    const items = await this.queries.execute(new ListActivationsQuery(MAX_LISTED));
    return { items: items.map((item) => ({ ...item, appliedAt: item.appliedAt.toISOString() })) };
  }

  @Get('versions/:version')
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'One version of the policy' })
  @ApiOkResponse({ type: VersionView })
  async version(@Param() { version }: VersionParamDto) {
    const { source, document, createdAt } = await this.queries.execute(new GetPolicyVersionQuery(version));
    return { version, source, document: JSON.parse(document) as object, createdAt: createdAt.toISOString() };
  }

  @Post('rollback')
  @HttpCode(200)
  @Allow('admin')
  @ApiOperation({ summary: 'Make an earlier version active again' })
  @ApiOkResponse({ type: AppliedView })
  async rollback(
    @Body() { version }: RollbackBodyDto,
    @Headers('if-match') match: string | undefined,
    @Query() { override, comment }: ChangeQueryDto,
    @Caller() caller: Identity,
  ) {
    const replaces = replacedBy(match, undefined);
    const { source } = await this.queries.execute(new GetPolicyVersionQuery(version));
    const applied = await this.commands.execute(
      new ApplyPolicyCommand(source, replaces, actorOf(caller), {
        cause: 'rollback',
        override: override === 'true',
        comment: comment ?? null,
      }),
    );
    return { ...applied, appliedAt: applied.appliedAt.toISOString() };
  }

  @Post('check')
  @HttpCode(200)
  @Allow('operator', 'admin')
  @RouteConfig(DOCUMENT_BODY)
  @ApiConsumes('application/yaml', 'application/json')
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOperation({ summary: 'Check a document: its shape, its rules, and their cases; changes nothing' })
  @ApiOkResponse({ type: CheckView })
  async check(@Body() body: unknown) {
    const { ok, findings } = await this.threads.check(textOf(body));
    return { ok, findings };
  }

  @Post('test')
  @HttpCode(200)
  @Allow('operator', 'admin')
  @RouteConfig(DOCUMENT_BODY)
  @ApiConsumes('application/yaml', 'application/json')
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOperation({ summary: 'Replay the stored requests against a document; changes nothing' })
  @ApiOkResponse({ type: ReplayView })
  async test(
    @Body() body: unknown,
    @Query() { since }: SinceQueryDto,
    @Headers('accept') accept: string | undefined,
    @Caller() caller: Identity,
  ) {
    const text = textOf(body);
    const from = this.ago(since);
    const replay = (report: TestPolicyQuery['report']) =>
      this.replays.take(caller.keyId, () =>
        this.queries.execute(new TestPolicyQuery(text, from, readerFor(caller), report)),
      );
    return accept === LINES ? progressLines(replay) : replay(null);
  }

  @Get('suggestions')
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'Rules that would have saved approvals of people; applies nothing' })
  @ApiOkResponse({ type: SuggestionsView })
  async suggestions(@Query() { since }: SinceQueryDto, @Caller() caller: Identity) {
    const query = new SuggestRulesQuery(this.ago(since), readerFor(caller));
    return this.replays.take(caller.keyId, () => this.queries.execute(query));
  }

  @Post('evaluate')
  @HttpCode(200)
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'The verdict of the active policy about a request; stores nothing' })
  @ApiOkResponse({ type: EvaluationView })
  evaluate(@Body() body: EvaluateBodyDto) {
    const judged = this.active.evaluate({
      key: body.key ?? '',
      owner: body.owner ?? null,
      connector: body.connector ?? 'rest',
      agentId: body.agentId,
      sessionId: body.sessionId ?? '',
      toolName: body.toolName,
      toolInput: body.toolInput,
      cwd: body.cwd ?? null,
      mode: body.mode ?? null,
      metadata: body.metadata ?? {},
    });
    if (judged === null) return { decision: 'ask', rules: [], class: 'normal', doubt: null, version: null };
    const { decision, rules, class: name, doubt, version, tokens, say, shadow } = judged.verdict;
    const inShadow = shadow && { decision: shadow.decision, rules: shadow.rules };
    return {
      decision,
      rules,
      class: name,
      doubt: doubt?.words ?? null,
      version,
      tokens,
      say,
      shadow: inShadow,
    };
  }

  @Post('proposals')
  @Allow('admin')
  @RouteConfig(DOCUMENT_BODY)
  @ApiConsumes('application/yaml', 'application/json')
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOperation({ summary: 'Propose a document that a second person must approve' })
  @ApiCreatedResponse({ type: ProposalView })
  async propose(
    @Body() body: unknown,
    @Headers('if-match') match: string | undefined,
    @Headers('if-none-match') noneMatch: string | undefined,
    @Query() { comment }: CommentQueryDto,
    @Caller() caller: Identity,
  ) {
    const replaces = replacedBy(match, noneMatch);
    const command = new ProposePolicyCommand(textOf(body), replaces, caller, comment ?? null);
    const proposal = await this.commands.execute(command);
    return { ...proposal, createdAt: proposal.createdAt.toISOString() };
  }

  @Get('proposals')
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'Documents that wait for a second person' })
  @ApiOkResponse({ type: ProposalsView })
  async proposed(@Query() query: unknown) {
    refuseAnyQuery(query);
    const items = await this.queries.execute(new ListProposalsQuery(MAX_LISTED));
    return { items: items.map((item) => ({ ...item, createdAt: item.createdAt.toISOString() })) };
  }

  @Post('proposals/:id/approve')
  @HttpCode(200)
  @Allow('admin')
  @ApiOperation({ summary: 'Apply a proposal as its second person' })
  @ApiOkResponse({ type: AppliedView })
  async approve(
    @Param() { id }: ProposalParamDto,
    @Query() { override }: OverrideQueryDto,
    @Caller() caller: Identity,
  ) {
    const applied = await this.commands.execute(new ApproveProposalCommand(id, caller, override === 'true'));
    return { ...applied, appliedAt: applied.appliedAt.toISOString() };
  }

  @Post('stop')
  @HttpCode(200)
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'Suspend every rule that allows, on all replicas' })
  @ApiOkResponse({ type: StopView })
  async stop(@Caller() caller: Identity) {
    await this.commands.execute(new StopPolicyCommand(actorOf(caller)));
    return { stopped: true };
  }

  @Post('resume')
  @HttpCode(200)
  @Allow('admin')
  @ApiOperation({ summary: 'Let the rules allow again' })
  @ApiOkResponse({ type: StopView })
  async resume(@Caller() caller: Identity) {
    await this.commands.execute(new ResumePolicyCommand(actorOf(caller)));
    return { stopped: false };
  }

  /** The time that long ago, by this replica's clock: the exact moment does not matter. */
  private ago(since: string): Date {
    const unit = since.at(-1) as keyof typeof MS_OF;
    return new Date(this.clock.now().getTime() - Number(since.slice(0, -1)) * MS_OF[unit]);
  }
}
