import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type CallToolResult,
  type CancelledNotification,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actorOf, type Identity } from '../access/identity';
import { AlreadySettled, Expired, type Approval } from '../approvals/approval';
import { CancelApprovalCommand } from '../approvals/commands/cancel-approval';
import { ListApprovalsQuery, type ApprovalPage } from '../approvals/queries/list-approvals';
import { callerGone } from '../http/caller-gone';
import { answerTaken, hijack } from '../http/hijack';
import type { JsonObject } from '../kernel/json';
import { describeError, Log } from '../logging/log';
import { BUILD } from '../metrics/build';
import { answerTo, failureOf } from './answers';
import { Heartbeats } from '../http/heartbeats';
import { HeldCalls } from './held-calls';
import { APPROVAL_TOOLS, type ApprovalTool, type Outcome } from './mcp-tools';

const SESSION_HEADER = 'mcp-session-id';
const SESSION_ID = /^[\x21-\x7e]{1,200}$/;
const PAGE_SIZE = 200;
/** One for all servers: each would make its own, which is a quarter of what a waiting call costs. */
const VALIDATOR = new AjvJsonSchemaValidator();

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** One POST: who sent it, and whether that caller is still there. */
interface Exchange {
  readonly caller: Identity;
  readonly session: string;
  readonly gone: AbortSignal;
  readonly taken: Promise<boolean>;
}

/** Whether the call with this id asked for it. */
function isAskedBy({ metadata }: Approval, requestId: unknown): boolean {
  return (metadata.mcp as JsonObject | undefined)?.requestId === requestId;
}

/**
 * MCP over Streamable HTTP. Every POST has a server of its own and the session is only a name that the client keeps,
 * so any replica serves any call, and a restart ends no session.
 */
@Injectable()
export class McpEndpoint {
  constructor(
    private readonly calls: HeldCalls,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly heartbeats: Heartbeats,
    private readonly log: Log,
  ) {}

  async serve(request: FastifyRequest, reply: FastifyReply, body: unknown, caller: Identity): Promise<void> {
    const known = request.headers[SESSION_HEADER];
    const session = typeof known === 'string' && SESSION_ID.test(known) ? known : randomUUID();
    const gone = callerGone(reply, caller);
    const raw = hijack(reply);
    if ((body as { method?: unknown } | null)?.method === 'initialize')
      raw.setHeader(SESSION_HEADER, session);
    const server = this.serverFor({ caller, session, gone, taken: answerTaken(raw) });
    const transport = new StreamableHTTPServerTransport();
    // Not when the key is revoked: that call still hears that it is denied.
    raw.once('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request.raw, raw, body ?? null);
  }

  private serverFor(exchange: Exchange): McpServer {
    const mcp = new McpServer(
      { name: 'countersign', version: BUILD.version },
      { capabilities: { tools: {} }, jsonSchemaValidator: VALIDATOR },
    );
    // Its own registry would refuse bad arguments in its own words; a permission prompt must always decide.
    const { server } = mcp;
    server.onerror = (error) =>
      this.log.event(
        'debug',
        'connector.mcp-error',
        { error: describeError(error) },
        'an MCP message was not understood',
      );
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...APPROVAL_TOOLS.values()].map(({ definition }) => definition),
    }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
      const tool = APPROVAL_TOOLS.get(params.name);
      if (!tool) throw new McpError(ErrorCode.InvalidParams, `There is no tool ${params.name}`);
      return this.call(tool, params.arguments, exchange, extra);
    });
    server.setNotificationHandler(CancelledNotificationSchema, (notification) =>
      this.cancelled(notification, exchange),
    );
    return mcp;
  }

  private async call(
    tool: ApprovalTool,
    args: unknown,
    exchange: Exchange,
    extra: Extra,
  ): Promise<CallToolResult> {
    const stop = this.showProgress(extra);
    const outcome = await this.outcomeOf(tool, args, exchange, extra);
    stop();
    const { answer, ending } = outcome;
    void exchange.taken.then((taken) => this.calls.answered('mcp', answer, ending, taken));
    return tool.result(outcome);
  }

  private async outcomeOf(
    tool: ApprovalTool,
    args: unknown,
    { caller, session, gone }: Exchange,
    { requestId }: Extra,
  ): Promise<Outcome> {
    try {
      const question = tool.question(args, { name: caller.name, session, requestId });
      const ending = await this.calls.ask(question, caller, { ms: Infinity, signal: gone });
      return { answer: answerTo(ending), ending };
    } catch (error) {
      this.log.event(
        'warn',
        'connector.failed',
        { error: describeError(error) },
        'a tool use was denied unasked',
      );
      return { answer: failureOf(error), ending: null };
    }
  }

  /** At once and from time to time, where the client asked for it; comments keep the stream open where it did not. */
  private showProgress({ _meta, sendNotification }: Extra): () => void {
    const progressToken = _meta?.progressToken;
    if (progressToken === undefined) return () => undefined;
    let progress = 0;
    const show = (): void => {
      progress += 1;
      const params = { progressToken, progress, message: 'waiting for an operator' };
      sendNotification({ method: 'notifications/progress', params }).catch((error: unknown) =>
        this.log.event(
          'debug',
          'connector.mcp-error',
          { error: describeError(error) },
          'progress was not sent',
        ),
      );
    };
    show();
    return this.heartbeats.start(show);
  }

  /** May come to another replica than the call that it cancels: the database knows which request that asked for. */
  private async cancelled({ params }: CancelledNotification, { caller, session }: Exchange): Promise<void> {
    const reason = `the client took the call back${params.reason === undefined ? '' : `: ${params.reason}`}`;
    for (const { id } of await this.pendingOf(caller, session, params.requestId)) {
      try {
        await this.commands.execute(
          new CancelApprovalCommand({
            cause: 'requested',
            id,
            by: actorOf(caller),
            reason: reason.slice(0, 1000),
          }),
        );
      } catch (error) {
        // It ended a moment before: whoever waits for it has heard how.
        if (!(error instanceof AlreadySettled || error instanceof Expired)) throw error;
      }
    }
  }

  private async pendingOf({ keyId }: Identity, sessionId: string, requestId: unknown): Promise<Approval[]> {
    const found: Approval[] = [];
    let beforeId: string | null = null;
    do {
      const page: ApprovalPage = await this.queries.execute(
        new ListApprovalsQuery({
          keyId,
          agentId: null,
          sessionId,
          status: 'pending',
          beforeId,
          limit: PAGE_SIZE,
        }),
      );
      found.push(...page.items.filter((approval) => isAskedBy(approval, requestId)));
      beforeId = page.nextBeforeId;
    } while (beforeId !== null);
    return found;
  }
}
