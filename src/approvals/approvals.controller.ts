import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpException,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actorOf, type Identity } from '../access/identity';
import { KeyTurns } from '../access/key-turns';
import { Caller, callerOf } from '../access/access.guard';
import { Allow } from '../http/allow';
import { BODY_OPTIONAL, LARGE_BODY } from '../access/body-parser';
import { callerGone } from '../access/caller-gone';
import { answerUnder } from '../http/correlation-header';
import { OpenAnswers } from '../access/open-answers';
import { parsed } from '../http/zod';
import type { Person } from '../kernel/actor';
import { InvalidInput } from '../kernel/errors';
import { currentCorrelationId } from '../logging/correlation';
import {
  AcknowledgementBodyDto,
  CancelBodyDto,
  DecisionBodyDto,
  EnqueueBodyDto,
  ErasureBodyDto,
  ExtensionBodyDto,
  ExportQueryDto,
  idempotencyKeySchema,
  IdParamDto,
  ListQueryDto,
  EnqueueQueryDto,
  WaitQueryDto,
} from './approval-inputs';
import { isSettled, type Approval } from './approval';
import { ApprovalPageView, ApprovalView, viewOf } from './approval-view';
import { ApprovalRefusalFilter } from './approval-refusal.filter';
import { ApprovalPages } from './approval-pages';
import { ApprovalStream } from './approval-stream';
import { AcknowledgeApprovalCommand } from './commands/acknowledge-approval';
import { CancelApprovalCommand } from './commands/cancel-approval';
import { ClaimApprovalCommand } from './commands/claim-approval';
import { ExtendApprovalCommand } from './commands/extend-approval';
import { DecideApprovalCommand } from './commands/decide-approval';
import { TakeBackDecisionCommand } from './commands/take-back-decision';
import { EraseInputCommand } from './commands/erase-input';
import { EnqueueApprovalCommand } from './commands/enqueue-approval';
import { AwaitSettlementQuery } from './queries/await-settlement';
import { FinishedApprovals } from './finished-approvals';
import { ActivePolicy } from '../policy/active-policy';
import { deciderOf } from './decider';
import { ChallengeView, DecisionSignatures } from './decision-signatures';
import { ShownDisplays } from './display';
import { isForGroups } from '../kernel/requirement';
import { NewRequest } from './new-request';
import { policyRequestOf } from './policy-request-of';
import { viewerOf } from '../access/viewer-of';

/** A call that waits keeps a request up to this length in memory; it reads a longer one again when the wait ends. */
const MAX_KEPT = 16 * 1024;

interface Waiting {
  readonly id: string;
  /** In seconds. */
  readonly wait: number;
  readonly gone: AbortSignal;
  readonly seen: Approval | null;
}

function idempotencyKeyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  const parsed = idempotencyKeySchema.safeParse(header);
  if (parsed.success) return parsed.data;
  throw new InvalidInput(parsed.error.issues.map(({ message }) => ({ path: 'Idempotency-Key', message })));
}

@ApiTags('approvals')
@ApiBearerAuth()
@UseFilters(ApprovalRefusalFilter)
@Controller('api/approvals')
export class ApprovalsController {
  private readonly lists = new KeyTurns('lists');
  private readonly exports = new KeyTurns('exports');

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly finished: FinishedApprovals,
    private readonly stream: ApprovalStream,
    private readonly pages: ApprovalPages,
    private readonly open: OpenAnswers,
    private readonly policy: ActivePolicy,
    private readonly shown: ShownDisplays,
    private readonly signatures: DecisionSignatures,
  ) {}

  @Post()
  @Allow('agent')
  @RouteConfig(LARGE_BODY)
  @ApiOperation({ summary: 'Ask the operators; optionally hold the answer until they decide' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'The same key with the same body asks once.',
  })
  @ApiCreatedResponse({ type: ApprovalView })
  @ApiOkResponse({ type: ApprovalView, description: 'Replay of an earlier call with this Idempotency-Key' })
  @ApiBody({ type: EnqueueBodyDto })
  @ApiQuery({ name: 'wait', required: false, schema: { type: 'string', pattern: '^\\d{1,2}$' } })
  @ApiQuery({
    name: 'ifRuled',
    required: false,
    schema: { type: 'string', enum: ['true', 'false'] },
    description:
      'Ask only if a rule of the policy denies the call, or asks and names its tool. For tools that only read.',
  })
  @ApiNoContentResponse({ description: 'With ifRuled: no rule has a say, so nothing was asked' })
  async enqueue(@Res({ passthrough: true }) reply: FastifyReply) {
    const caller = callerOf(reply.request);
    const asked = await this.ask(reply, caller);
    if (asked === null) {
      void reply.status(204);
      return undefined;
    }
    const { id, wait, gone, seen } = asked;
    // A replay answers with the current approval, and reading settles an overdue one.
    if (wait === 0 && seen) return viewOf(seen);
    const waiting = { id, wait, gone: gone ?? callerGone(reply, caller), seen };
    return viewOf(await this.awaitSettlement(waiting, caller, reply));
  }

  /**
   * Separate from the wait, so that a call that waits keeps no large request in memory.
   *
   * @returns null for a call about which no rule has a say, if the caller asks only for others
   */
  private async ask(reply: FastifyReply, caller: Identity) {
    // Parsed by hand: parameters that go through pipes are a third of all promises of an enqueue.
    const { request } = reply;
    const body = parsed(EnqueueBodyDto.schema, request.body);
    const { wait, ifRuled } = parsed(EnqueueQueryDto.schema, request.query);
    if (ifRuled && !this.policy.restricts(policyRequestOf(body, caller, null))) return null;
    const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
    // Before the request is stored: a call that may not wait must not ask either.
    const gone = wait > 0 ? await this.open.hold(reply, caller) : null;
    const asked = await NewRequest.of(body);
    const enqueued = await this.commands.execute(
      new EnqueueApprovalCommand(asked, caller, idempotencyKey, currentCorrelationId() ?? ''),
    );
    const { replayed } = enqueued;
    const { id } = enqueued.approval;
    void reply.header('location', `/api/approvals/${id}`);
    if (replayed) void reply.status(200).header('idempotent-replayed', 'true');
    if (gone) this.open.dropBody(reply);
    const isKept = !replayed && (wait === 0 || asked.bytes <= MAX_KEPT);
    return { id, wait, gone, seen: isKept ? asked.stored(caller, enqueued) : null };
  }

  @Get(':id')
  @Allow('agent', 'operator')
  @ApiOperation({ summary: 'The approval; with wait, as soon as it settles' })
  @ApiOkResponse({ type: ApprovalView })
  async get(
    @Param() { id }: IdParamDto,
    @Query() { wait }: WaitQueryDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = wait > 0 ? await this.open.hold(reply, caller) : callerGone(reply, caller);
    const seen = wait > 0 ? await this.read(id, caller, gone) : null;
    return viewOf(await this.awaitSettlement({ id, wait, gone, seen }, caller, reply));
  }

  @Get()
  @Allow('agent', 'operator')
  @ApiOperation({
    summary: 'Approvals, newest first',
    description:
      'A page ends at `limit`, or after about 2 MiB of requests: go on with `cursor` until `nextCursor` is null. ' +
      'The lists of one key are read one after the other.',
  })
  @ApiOkResponse({ type: ApprovalPageView })
  async list(
    @Query() query: ListQueryDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = callerGone(reply, caller);
    const page = await this.lists.take(caller.keyId, async () => {
      gone.throwIfAborted();
      return this.pages.read(caller, query, { beforeId: query.cursor ?? null, limit: query.limit });
    });
    return { items: page.items.map(viewOf), nextCursor: page.nextBeforeId };
  }

  @Get('export')
  @Allow('operator')
  @ApiOperation({
    summary: 'All requests that match, newest first, as a file',
    description:
      'One JSON document a line, as in the list, or CSV of the main columns. One export of a key runs at a time.',
  })
  @ApiOkResponse({
    content: {
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  async export(@Query() query: ExportQueryDto, @Caller() caller: Identity, @Res() reply: FastifyReply) {
    const gone = callerGone(reply, caller);
    await this.exports.take(caller.keyId, () => this.pages.export(query, caller, gone, reply));
  }

  @Get(':id/events')
  @Allow('agent', 'operator')
  @ApiOperation({
    summary: 'The approval now and at every change, as server-sent events',
    description:
      'Reconnect when it ends before the settled event: the replica stopped, or too much was waiting unread (64 MiB over all answers; the one unread for longest is cut off first).',
  })
  @ApiOkResponse({ content: { 'text/event-stream': { schema: { type: 'string' } } } })
  async events(
    @Param() { id }: IdParamDto,
    @Caller() caller: Identity,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = await this.open.hold(reply, caller);
    await this.stream.send(id, viewerOf(caller), { caller, gone }, reply);
  }

  @Get(':id/challenge')
  @Allow('operator')
  @ApiOperation({
    summary: 'Begin to sign a decision with the passkey of the signed-in person',
    description:
      'The challenge is the SHA-256 of the RFC 8785 form of `{purpose: "countersign:decision", approvalId, inputDigest, ' +
      'displayDigest, verdict, reason, policyVersion, person, rpId, nonce}`; send its signature as `assertion` of the ' +
      'decision within five minutes.',
  })
  @ApiOkResponse({ type: ChallengeView })
  challenge(@Param() { id }: IdParamDto, @Caller() caller: Identity, @Req() request: FastifyRequest) {
    return this.signatures.begin(id, { caller, request });
  }

  @Post(':id/decision')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({ summary: 'Approve or reject' })
  @ApiOkResponse({ type: ApprovalView })
  async decide(
    @Param() { id }: IdParamDto,
    @Body() { decision, reason, answers, displayDigest, assertion }: DecisionBodyDto,
    @Req() request: FastifyRequest,
    @Caller() caller: Identity,
  ) {
    const shown = await this.shown.verify(id, caller, displayDigest ?? null);
    const by = { caller, request };
    const said = { verdict: decision, reason: reason ?? null, displayDigest: shown };
    if (assertion && answers)
      throw new InvalidInput([{ path: 'assertion', message: 'signs no answers: send them without it' }]);
    const signed = assertion ? await this.signatures.verify(id, by, said, assertion) : null;
    const decided = await this.commands.execute(
      new DecideApprovalCommand(
        id,
        this.decider(caller),
        decision,
        reason ?? null,
        shown,
        answers ?? null,
        signed,
      ),
    );
    return this.visible(decided, caller);
  }

  @Delete(':id/decision')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({ summary: 'Take back a decision, while more people must decide' })
  @ApiOkResponse({ type: ApprovalView })
  async takeBack(@Param() { id }: IdParamDto, @Caller() caller: Identity) {
    const command = new TakeBackDecisionCommand(id, this.decider(caller));
    return this.visible(await this.commands.execute(command), caller);
  }

  @Post(':id/claim')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({
    summary: 'Say that somebody is on it',
    description:
      'Decides nothing. The next step of the chain waits until the claim ends. The same person again: the same claim. ' +
      'While somebody else is on it: 409 `approval.claimed`, and everybody may still decide.',
  })
  @ApiOkResponse({ type: ApprovalView })
  async claim(@Param() { id }: IdParamDto, @Caller() caller: Identity) {
    const command = new ClaimApprovalCommand(id, this.decider(caller));
    return this.visible(await this.commands.execute(command), caller);
  }

  @Post(':id/snooze')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({
    summary: 'Come back to it in five minutes',
    description: 'As a claim, but others may claim it. The chats that show it are reminded then.',
  })
  @ApiOkResponse({ type: ApprovalView })
  async snooze(@Param() { id }: IdParamDto, @Caller() caller: Identity) {
    const command = new ClaimApprovalCommand(id, this.decider(caller), 'snoozed');
    return this.visible(await this.commands.execute(command), caller);
  }

  @Post(':id/extend')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({
    summary: 'Give it more time',
    description:
      'Within the `maximum` of its class and APPROVAL_MAX_TIMEOUT_MINUTES, from its creation; more: 409 ' +
      '`approval.no-more-time`. An agent that waits in a call with a deadline of its own still stops there; the same call joins ' +
      'the request again.',
  })
  @ApiOkResponse({ type: ApprovalView })
  async extend(
    @Param() { id }: IdParamDto,
    @Body() { seconds }: ExtensionBodyDto,
    @Caller() caller: Identity,
  ) {
    const command = new ExtendApprovalCommand(id, this.decider(caller), seconds);
    return this.visible(await this.commands.execute(command), caller);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Allow('agent', 'operator')
  @RouteConfig(BODY_OPTIONAL)
  @ApiOperation({ summary: 'Take the request back' })
  @ApiBody({ type: CancelBodyDto, required: false })
  @ApiOkResponse({ type: ApprovalView })
  async cancel(
    @Param() { id }: IdParamDto,
    @Body() { reason = null }: CancelBodyDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = callerGone(reply, caller);
    const viewer = viewerOf(caller);
    // Settles an overdue request, and hides requests that are not the caller's.
    await this.finished.stateOf(id, viewer);
    const by = actorOf(caller);
    const [ended] = await this.commands.execute(
      new CancelApprovalCommand({ cause: 'requested', id, by, reason, viewer, gone }),
    );
    // The request may be large, and is read once.
    if (ended && 'toolInput' in ended) return viewOf(ended);
    return viewOf((await this.finished.get(id, viewer, gone)).approval);
  }

  @Delete(':id/input')
  @HttpCode(200)
  @Allow('admin')
  @ApiOperation({
    summary: 'Erase what the agent wrote in a settled request',
    description:
      'Input, summary, directory and metadata go, also from the search, exports and cards. Digest, receipt and audit log stay, and ' +
      'the erasure is a row of the log. A pending request: 409 `approval.not-settled`. Again: the same answer.',
  })
  @ApiOkResponse({ type: ApprovalView })
  async eraseInput(
    @Param() { id }: IdParamDto,
    @Body() { reason: why }: ErasureBodyDto,
    @Caller() caller: Identity,
  ) {
    // Settles an overdue request.
    await this.finished.stateOf(id, 'everything');
    await this.commands.execute(new EraseInputCommand(id, this.decider(caller), why));
    return viewOf((await this.finished.get(id, 'everything')).approval);
  }

  @Post(':id/ack')
  @HttpCode(200)
  @Allow('agent')
  @ApiOperation({
    summary: 'Say what became of the answer: the agent has it, went on, ran the tool, failed, or is gone',
  })
  @ApiOkResponse({ type: ApprovalView })
  async acknowledge(
    @Param() { id }: IdParamDto,
    @Body() { outcome }: AcknowledgementBodyDto,
    @Caller() caller: Identity,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = callerGone(reply, caller);
    const viewer = viewerOf(caller);
    // Settles an overdue request: the agent may have seen the timeout before the service did.
    await this.finished.stateOf(id, viewer);
    const acknowledged = await this.commands.execute(
      new AcknowledgeApprovalCommand(id, caller.keyId, outcome, gone),
    );
    // The request may be large, and is read once.
    return viewOf(acknowledged ?? (await this.finished.get(id, viewer, gone)).approval);
  }

  private decider(caller: Identity): Person {
    return deciderOf(caller, this.policy.people);
  }

  /**
   * Answers a person with the request that they have changed. Somebody who has left its groups since may repeat a call, and gets
   * what {@link GetApprovalQuery} would answer.
   */
  private async visible(approval: Approval, caller: Identity): Promise<ApprovalView> {
    if (isForGroups(approval.required)) await this.finished.stateOf(approval.id, viewerOf(caller));
    return viewOf(approval);
  }

  /** Separate from the wait, like {@link ask}. @returns null for a large request that is still pending */
  private async read(id: string, caller: Identity, gone: AbortSignal): Promise<Approval | null> {
    const { approval, characters } = await this.finished.get(id, viewerOf(caller), gone);
    return isSettled(approval) || characters <= MAX_KEPT ? approval : null;
  }

  /** @param waiting.seen the approval, if it was read and is settled or small */
  private async awaitSettlement(
    { id, wait, gone, seen }: Waiting,
    caller: Identity,
    reply: FastifyReply,
  ): Promise<Approval> {
    const viewer = viewerOf(caller);
    const query = new AwaitSettlementQuery(id, viewer, wait * 1000, gone, gone);
    const mayWait = wait > 0 && !(seen && isSettled(seen));
    const settled = mayWait ? await this.queries.execute(query) : null;
    const approval = settled ?? seen ?? (await this.finished.get(id, viewer, gone)).approval;
    await caller.standing.confirm();
    // Nobody reads this answer, and writing a thousand large ones at once would keep everybody waiting.
    if (reply.raw.destroyed) throw new HttpException('The caller hung up.', 400);
    answerUnder(approval.correlationId, reply);
    return approval;
  }
}
