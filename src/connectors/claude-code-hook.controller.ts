import { Body, Controller, Headers, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../access/identity';
import { CONFIG, type Config } from '../config/environment';
import { unguardedMode } from '../escalation/permission-mode';
import { Allow, Caller } from '../http/access.guard';
import { OpenAnswers } from '../http/open-answers';
import { parsed } from '../http/zod';
import { describeError, Log } from '../logging/log';
import { answerTo, failureOf, type Answer, type Ending } from './answers';
import { gatingEventOf, hookOutput, parseHook, questionOf } from './claude-code-hook';
import { Heartbeats } from '../http/heartbeats';
import { HeldCalls } from './held-calls';
import { OpenAnswer } from './open-answer';

const MAX_WAIT_SECONDS = 86_400;

const waitHeader = z.object({
  'Countersign-Wait-Seconds': z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number of seconds')
    .transform(Number)
    .refine(
      (seconds) => seconds >= 1 && seconds <= MAX_WAIT_SECONDS,
      `must be from 1 to ${MAX_WAIT_SECONDS} seconds`,
    )
    .optional(),
});

const looseObject = { type: 'object', additionalProperties: true } as const;

/**
 * Claude Code's HTTP hook. Whatever is not a 200 with JSON counts there as no decision, and in some permission modes
 * the tool then runs: so every way through here, errors included, ends in a decision.
 */
@ApiTags('connectors')
@ApiBearerAuth()
@Controller('connectors/claude-code')
export class ClaudeCodeHookController {
  constructor(
    private readonly calls: HeldCalls,
    private readonly heartbeats: Heartbeats,
    private readonly held: OpenAnswers,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post('hook')
  @HttpCode(200)
  @Allow('agent')
  @ApiOperation({ summary: 'Claude Code HTTP hook: PreToolUse or PermissionRequest in, the decision out' })
  @ApiHeader({
    name: 'Countersign-Wait-Seconds',
    required: false,
    description: `Answer after this time at the latest, 1 to ${MAX_WAIT_SECONDS}.`,
  })
  @ApiBody({ schema: looseObject, description: 'As Claude Code sends it; unknown members are allowed.' })
  @ApiOkResponse({ schema: looseObject, description: 'Always, also for every failure, which denies' })
  async hook(
    @Body() body: unknown,
    @Headers('countersign-wait-seconds') wait: string | undefined,
    @Caller() caller: Identity,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const event = gatingEventOf(body);
    const gone = await this.held.hold(reply, caller);
    const open = new OpenAnswer(reply, this.heartbeats);
    if (event === null) {
      this.log.event(
        'warn',
        'connector.hook-gates-nothing',
        {},
        'a hook is set for an event that gates nothing',
      );
      await open.end({});
      return;
    }
    let ending: Ending | null = null;
    let answer: Answer;
    try {
      ending = await this.ask(body, wait, caller, gone);
      answer = answerTo(ending);
    } catch (error) {
      this.log.event(
        'warn',
        'connector.failed',
        { error: describeError(error) },
        'a tool use was denied unasked',
      );
      answer = failureOf(error);
    }
    const taken = await open.end(hookOutput(event, answer));
    await this.calls.answered('hook', answer, ending, taken);
  }

  private ask(
    body: unknown,
    wait: string | undefined,
    caller: Identity,
    signal: AbortSignal,
  ): Promise<Ending> {
    const payload = parseHook(body);
    const { 'Countersign-Wait-Seconds': seconds = this.config.connector.hookDeadlineSeconds } = parsed(
      waitHeader,
      {
        'Countersign-Wait-Seconds': wait,
      },
    );
    const question = questionOf(payload, caller);
    const mode = unguardedMode(question.body.metadata ?? {});
    if (mode !== null) {
      const fields = {
        permissionMode: mode,
        agentId: question.body.agentId,
        sessionId: question.body.sessionId,
      };
      this.log.event('warn', 'connector.unguarded-mode', fields, 'a failed hook would let this tool run');
    }
    return this.calls.ask(question, caller, { ms: seconds * 1000, signal });
  }
}
