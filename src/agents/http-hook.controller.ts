import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Headers, HttpCode, Inject, Optional, Post, Res, type Type } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../access/identity';
import { CONFIG, type Config } from '../config/environment';
import { Caller } from '../access/access.guard';
import { Allow } from '../http/allow';
import { OpenAnswers } from '../access/open-answers';
import { LARGE_BODY } from '../access/body-parser';
import { UnreadAnswers } from '../http/unread-answers';
import { describeError } from '../kernel/describe-error';
import { questionsOf } from '../kernel/questions';
import { Log } from '../logging/log';
import type { Ending } from './answers';
import { Heartbeats } from '../http/heartbeats';
import { HeldCalls } from './held-calls';
import { eventOf, NO_DECISION, type HttpHook, type ReportTaker } from './http-hook';
import { OpenAnswer } from './open-answer';
import { ReadingCalls } from './reading-calls';
import { UnknownTools } from './unknown-tools';
import { MAX_WAIT_SECONDS, waitSecondsIn } from './wait-header';

/** A report is answered after this time even if the database is slow: the agent does not need the result. */
const REPORT_WITHIN_MS = 3_000;

const looseObject = { type: 'object', additionalProperties: true } as const;

/** Waits for the work for at most {@link REPORT_WITHIN_MS}; longer work continues in the background. */
async function soon(work: Promise<void>): Promise<void> {
  const stop = new AbortController();
  const late = sleep(REPORT_WITHIN_MS, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
  await Promise.race([work, late]);
  stop.abort();
}

const NO_REPORTS = Symbol('no reports');

/**
 * The controller of one hook. Agents treat any answer but a 200 with JSON as no decision, and in some modes they then run
 * the tool. So every path through this controller, errors included, ends in a decision.
 */
export function hookController<Event>(hook: HttpHook<Event>): Type {
  const { agent, route, connector } = hook;
  const reports = hook.reportTaker !== null;
  const eventIn = ({ request }: FastifyReply) => eventOf(hook, request.body);

  @ApiTags('connectors')
  @ApiBearerAuth()
  @Controller(`connectors/${route}`)
  class HookController {
    constructor(
      private readonly calls: HeldCalls,
      private readonly tools: UnknownTools,
      private readonly reading: ReadingCalls,
      private readonly heartbeats: Heartbeats,
      private readonly held: OpenAnswers,
      private readonly unread: UnreadAnswers,
      private readonly log: Log,
      @Inject(CONFIG) private readonly config: Config,
      @Optional() @Inject(hook.reportTaker ?? NO_REPORTS) private readonly reports?: ReportTaker,
    ) {}

    @Post()
    @HttpCode(200)
    @Allow('agent')
    @RouteConfig(LARGE_BODY)
    @ApiOperation({ summary: hook.summary })
    @ApiHeader({
      name: 'Countersign-Wait-Seconds',
      required: false,
      description: `Answer after this time at the latest, 1 to ${MAX_WAIT_SECONDS}.`,
    })
    @ApiBody({ schema: looseObject, description: `As ${agent.name} sends it; unknown members are allowed.` })
    @ApiOkResponse({ schema: looseObject, description: 'Always, also for every failure, which denies' })
    async hook(
      @Headers('countersign-wait-seconds') wait: string | undefined,
      @Caller() caller: Identity,
      @Res() reply: FastifyReply,
    ): Promise<void> {
      const event = eventIn(reply);
      const gone = await this.held.hold(reply, caller);
      const open = new OpenAnswer(reply, this.heartbeats, this.unread);
      if (event === null) {
        // Recorded before the answer, so that a turn's end retracts nothing of the next turn; the wait is short.
        if (this.reports) await soon(this.reports.take(reply.request.body, caller));
        await open.end(NO_DECISION);
        return;
      }
      const outcome = await this.calls.outcomeOf(this.ask(reply, wait, caller, gone));
      if (outcome === null) {
        await open.end(NO_DECISION);
        return;
      }
      const taken = await open.end(hook.reply(event, outcome));
      await this.calls.recordAnswer({ connector, reports }, caller, outcome, taken);
    }

    /**
     * Does not await the answer, so that a call that waits keeps nothing of its body in memory.
     *
     * @returns null for a call that needs no decision
     */
    private async ask(
      reply: FastifyReply,
      wait: string | undefined,
      caller: Identity,
      signal: AbortSignal,
    ): Promise<Ending | null> {
      const question = hook.question(reply.request.body, caller);
      const { toolName, metadata, agentId, sessionId } = question.body;
      const effect = agent.tool(toolName)?.effect;
      const asks = effect === 'asks';
      // No decision, never an approval: the agent applies its own rules and asks where these do.
      if (effect === 'reads' && !this.reading.isRuled(question, caller)) return null;
      if (asks && questionsOf(question.body) === null) return null;
      if (effect === undefined) this.tools.notice(agent.name, toolName);
      const seconds = waitSecondsIn(wait) ?? this.config.connector.hookDeadlineSeconds;
      const permissionMode = agent.unguardedMode(metadata ?? {});
      if (permissionMode !== null && !asks) {
        const fields = { permissionMode, agentId, sessionId };
        this.log.event('warn', 'connector.unguarded-mode', fields, 'a failed hook would let this tool run');
      }
      const stored = () => this.held.dropBody(reply);
      const ending = this.calls.ask(question, caller, { ms: seconds * 1000, signal, stored });
      return asks ? this.orAtTerminal(ending) : ending;
    }

    /** A question without an answer is left to the person at the terminal, whom the agent asks then. */
    private async orAtTerminal(asked: Promise<Ending>): Promise<Ending | null> {
      try {
        const ending = await asked;
        return ending.kind === 'settled' && 'decision' in ending.approval ? ending : null;
      } catch (error) {
        const fields = { error: describeError(error) };
        this.log.event('warn', 'connector.question-not-shown', fields, 'operators do not see a question');
        return null;
      }
    }
  }
  // The OpenAPI document names operations by their class.
  Object.defineProperty(HookController, 'name', { value: `${agent.name.replaceAll(' ', '')}HookController` });
  return HookController;
}
