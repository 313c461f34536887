import { setTimeout as sleep } from 'node:timers/promises';
import { Body, Controller, Headers, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../../access/identity';
import { CONFIG, type Config } from '../../config/environment';
import { unguardedMode } from '../../cards/permission-mode';
import { Caller } from '../../access/access.guard';
import { Allow } from '../../http/allow';
import { OpenAnswers } from '../../access/open-answers';
import { LARGE_BODY } from '../../access/body-parser';
import { UnreadAnswers } from '../../http/unread-answers';
import { parsed } from '../../http/zod';
import { describeError, Log } from '../../logging/log';
import { AgentReports } from '../agent-reports';
import { answerTo, failureOf, type Ending, type Outcome } from '../answers';
import { isReportingEvent, parseReport } from './claude-code-events';
import { gatingEventOf, hookOutput, parseHook, questionOf, type HookPayload } from './claude-code-hook';
import { toolEffect } from './claude-code-tools';
import { Heartbeats } from '../../http/heartbeats';
import { HeldCalls } from '../held-calls';
import { OpenAnswer } from '../open-answer';
import { TerminalQuestions } from '../terminal-questions';
import { UnknownTools } from '../unknown-tools';

const MAX_WAIT_SECONDS = 86_400;
/** A report is answered after this time even if the database is slow: the agent does not need the result. */
const REPORT_WITHIN_MS = 3_000;

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

/** Waits for the work for at most {@link REPORT_WITHIN_MS}; longer work continues in the background. */
async function soon(work: Promise<void>): Promise<void> {
  const stop = new AbortController();
  const late = sleep(REPORT_WITHIN_MS, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
  await Promise.race([work, late]);
  stop.abort();
}

/**
 * Claude Code's HTTP hook. Claude Code treats any answer but a 200 with JSON as no decision, and in some permission
 * modes it then runs the tool. So every path through this controller, errors included, ends in a decision.
 */
@ApiTags('connectors')
@ApiBearerAuth()
@Controller('connectors/claude-code')
export class ClaudeCodeHookController {
  constructor(
    private readonly calls: HeldCalls,
    private readonly reports: AgentReports,
    private readonly questions: TerminalQuestions,
    private readonly tools: UnknownTools,
    private readonly heartbeats: Heartbeats,
    private readonly held: OpenAnswers,
    private readonly unread: UnreadAnswers,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post('hook')
  @HttpCode(200)
  @Allow('agent')
  @RouteConfig(LARGE_BODY)
  @ApiOperation({
    summary:
      'Claude Code HTTP hook: PreToolUse or PermissionRequest in, the decision out; reports of what became of it in, {} out',
  })
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
    const open = new OpenAnswer(reply, this.heartbeats, this.unread);
    if (event === null) {
      // Recorded before the answer, so that a turn's end retracts nothing of the next turn; the wait is short.
      await soon(this.take(body, caller));
      await open.end({});
      return;
    }
    let outcome: Outcome;
    try {
      const payload = parseHook(body);
      const effect = toolEffect(payload.tool_name);
      // No decision, never an approval: Claude Code applies its own rules and asks where these do.
      if (effect === 'reads' || effect === 'asks') {
        if (effect === 'asks') await soon(this.questions.show(questionOf(payload, caller), caller));
        await open.end({});
        return;
      }
      this.tools.notice(payload.tool_name);
      const ending = await this.ask(payload, wait, caller, gone);
      outcome = { answer: answerTo(ending), ending };
    } catch (error) {
      this.log.event(
        'warn',
        'connector.failed',
        { error: describeError(error) },
        'a tool use was denied unasked',
      );
      outcome = { answer: failureOf(error), ending: null };
    }
    const taken = await open.end(hookOutput(event, outcome));
    await this.calls.answered('hook', caller, outcome, taken);
  }

  private async take(body: unknown, caller: Identity): Promise<void> {
    const report = parseReport(body);
    if (report !== null) return this.reports.take(report, caller);
    const [event, message] = isReportingEvent(body)
      ? ['connector.report-unreadable', 'a report of an agent has another form than is known']
      : ['connector.hook-gates-nothing', 'a hook is set for an event that is not used'];
    this.log.event('warn', event, {}, message);
  }

  private ask(
    payload: HookPayload,
    wait: string | undefined,
    caller: Identity,
    signal: AbortSignal,
  ): Promise<Ending> {
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
