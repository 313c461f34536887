import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CommandBus, EventBus } from '@nestjs/cqrs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  ErrorCode,
  isInitializeRequest,
  isJSONRPCRequest,
  ListToolsRequestSchema,
  McpError,
  type CallToolResult,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type RequestId,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actorOf, type Identity } from '../../access/identity';
import { KeyTurns } from '../../access/key-turns';
import { AlreadySettled, Expired, type Approval } from '../../approvals/approval';
import { CancelApprovalCommand } from '../../approvals/commands/cancel-approval';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import type { ApprovalPage } from '../../approvals/queries/list-approvals';
import { CONFIG, type Config } from '../../config/environment';
import { presentedKey } from '../../access/access.guard';
import { openEventStream } from '../../http/event-stream';
import { Heartbeats } from '../../http/heartbeats';
import { OpenAnswers } from '../../access/open-answers';
import { UnreadAnswers } from '../../http/unread-answers';
import { abbreviate } from '../../kernel/cut-text';
import { describeError } from '../../kernel/describe-error';
import { Log } from '../../logging/log';
import { BUILD } from '../../kernel/build';
import { failure, type Ending } from '../answers';
import { ConnectorAnswered } from '../connector-events';
import { HeldCalls } from '../held-calls';
import { ReadingCalls } from '../reading-calls';
import { waitSecondsIn } from '../wait-header';
import { messagesOf, McpRefusal, SESSION_UNKNOWN } from './mcp-messages';
import { isIssued, issueSession } from './mcp-session';
import { APPROVAL_TOOLS, MCP_CONNECTOR, refusedCall, type ApprovalTool, type McpCaller } from './mcp-tools';
import { McpTransport, type Asked } from './mcp-transport';

const SESSION_HEADER = 'mcp-session-id';
const WAIT_HEADER = 'countersign-wait-seconds';
const PAGE_SIZE = 200;
/** Together with the ellipsis, the longest reason that the service accepts. */
const MAX_REASON_LENGTH = 999;

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** The JSON-RPC id of the call that made the request, if it was made in this MCP session. */
function requestIdIn(session: string, { metadata, sessionId }: Approval): RequestId | undefined {
  const { requestId, session: madeIn = sessionId } = (metadata.mcp ?? {}) as {
    requestId?: RequestId;
    session?: string;
  };
  return madeIn === session ? requestId : undefined;
}

/** The ids of the cancelled calls, each with the reason for the operators. */
function cancellationsIn(messages: readonly JSONRPCMessage[]): Map<RequestId, string> {
  const reasons = new Map<RequestId, string>();
  for (const message of messages) {
    const { data } = CancelledNotificationSchema.safeParse(message);
    if (data?.params.requestId === undefined) continue;
    const { requestId, reason } = data.params;
    const why = `the client took the call back${reason === undefined ? '' : `: ${reason}`}`;
    reasons.set(requestId, abbreviate(why, MAX_REASON_LENGTH));
  }
  return reasons;
}

/**
 * The session of a POST; null for none. A tool call with an unknown session id is served without a session and never
 * joined, since the model would not take a 404 as a denial. Other messages get a 404, so that the client initializes.
 *
 * @throws McpRefusal 404 for an unknown session
 */
function sessionOf(
  named: string | string[] | undefined,
  key: string,
  messages: readonly JSONRPCMessage[],
): string | null {
  if (named === undefined || messages.some(isInitializeRequest)) return null;
  if (typeof named === 'string' && isIssued(named, key)) return named;
  if (messages.some((message) => 'method' in message && message.method === 'tools/call')) return null;
  throw new McpRefusal(404, SESSION_UNKNOWN, 'This session is not known here; initialize a new one');
}

/** The faults in the parameters of a tool call, else null; the SDK would answer them with an internal error. */
function faultsOfCall(request: JSONRPCRequest): string | null {
  if (request.method !== 'tools/call') return null;
  const { data, error } = CallToolRequestSchema.safeParse(request);
  if (data?.params.task) return 'params.task: no tool runs as a task here';
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') ?? null;
}

const callerOf = ({ id, exchange: { caller, session } }: Asked): McpCaller => ({
  name: caller.keyId,
  session,
  requestId: id,
});

/** Separate from its caller, whose other variables it would keep in memory. */
const dropOf = (held: OpenAnswers, reply: FastifyReply) => () => held.dropBody(reply);

/**
 * MCP over Streamable HTTP. A session is an id that the service issued to the holder of this API key. Every replica
 * recognises it, also after a restart.
 */
@Injectable()
export class McpEndpoint implements OnModuleInit {
  private readonly transport: McpTransport;

  constructor(
    private readonly calls: HeldCalls,
    private readonly reading: ReadingCalls,
    private readonly commands: CommandBus,
    private readonly finished: FinishedApprovals,
    private readonly events: EventBus,
    private readonly heartbeats: Heartbeats,
    private readonly held: OpenAnswers,
    private readonly turns: KeyTurns,
    unread: UnreadAnswers,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.transport = new McpTransport(unread);
  }

  /** Opens the server, which is never closed: on shutdown the open calls must still receive their denials. */
  async onModuleInit(): Promise<void> {
    // The SDK's registry would answer bad arguments with its own error; a permission prompt must always decide.
    const { server } = new McpServer(
      { name: 'countersign', version: BUILD.version },
      { capabilities: { tools: {} } },
    );
    server.onerror = (error) => this.failed(error, 'an MCP message was not understood');
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...APPROVAL_TOOLS.values()].map(({ definition }) => definition),
    }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
      const tool = APPROVAL_TOOLS.get(params.name);
      if (!tool) throw new McpError(ErrorCode.InvalidParams, `There is no tool ${params.name}`);
      return this.call(tool, extra);
    });
    await server.connect(this.transport);
  }

  async serve(request: FastifyRequest, reply: FastifyReply, body: unknown, caller: Identity): Promise<void> {
    try {
      await this.take(request, reply, body, caller);
    } catch (error) {
      if (!(error instanceof McpRefusal)) throw error;
      const { status, code, message } = error;
      this.failed(error, 'an MCP message was not taken');
      void reply.status(status).send({ jsonrpc: '2.0', error: { code, message }, id: null });
    }
  }

  private async take(
    { headers }: FastifyRequest,
    reply: FastifyReply,
    body: unknown,
    caller: Identity,
  ): Promise<void> {
    const messages = messagesOf(headers, body);
    const key = presentedKey({ headers });
    const session = key === null ? null : sessionOf(headers[SESSION_HEADER], key, messages);
    const cancellations = session === null ? null : cancellationsIn(messages);
    if (session !== null && cancellations?.size)
      await this.turns.take(caller.keyId, () => this.cancel(cancellations, caller, session));
    const requests = messages.filter(isJSONRPCRequest);
    if (requests.length === 0) return void reply.status(202).send();
    if (key !== null && requests.some(isInitializeRequest))
      void reply.header(SESSION_HEADER, issueSession(key));
    const gone = await this.held.hold(reply, caller);
    const stream = openEventStream(reply);
    const { length: unanswered } = requests;
    const drop = dropOf(this.held, reply);
    const wait = headers[WAIT_HEADER];
    const exchange = { caller, session, gone, wait, stream, unanswered, kept: unanswered, drop };
    for (const each of requests) {
      const faults = faultsOfCall(each);
      if (faults === null) this.transport.receive(each, exchange);
      else this.transport.refuse(each, exchange, this.refusalOf(each, faults));
    }
  }

  private refusalOf({ params }: JSONRPCRequest, faults: string): CallToolResult {
    this.log.event('warn', 'connector.failed', { error: faults }, 'a tool use was denied unasked');
    this.events.publish(new ConnectorAnswered(MCP_CONNECTOR.connector, 'failed'));
    const name = params?.name;
    return refusedCall(typeof name === 'string' ? name : null, failure(faults));
  }

  private async call(tool: ApprovalTool, extra: Extra): Promise<CallToolResult> {
    const asked = this.transport.asked(extra.requestId);
    const undecided = tool.undecided?.(asked.arguments) ?? null;
    if (undecided !== null && !(await this.isRuled(tool, asked))) return undecided;
    const { stream } = asked.exchange;
    const stop = this.showProgress(extra, stream);
    const outcome = await this.calls.outcomeOf(this.ask(tool, asked));
    stop();
    void asked.taken.then((taken) =>
      this.calls.recordAnswer(MCP_CONNECTOR, asked.exchange.caller, outcome, taken),
    );
    return tool.result(outcome);
  }

  /** True if the rules must decide a call that nobody is asked about, and for arguments of an unknown form. */
  private async isRuled(tool: ApprovalTool, asked: Asked): Promise<boolean> {
    try {
      return this.reading.isRuled(
        await tool.question(asked.arguments, callerOf(asked)),
        asked.exchange.caller,
      );
    } catch (error) {
      this.failed(error, 'a tool use is denied unasked');
      return true;
    }
  }

  /** Does not await the answer, so that a call that waits keeps nothing of its arguments in memory. */
  private async ask(tool: ApprovalTool, asked: Asked): Promise<Ending> {
    const { exchange, drop } = asked;
    const { caller, gone, wait } = exchange;
    const question = await tool.question(asked.arguments, callerOf(asked));
    const seconds = tool.hasDeadline
      ? (waitSecondsIn(wait) ?? this.config.connector.hookDeadlineSeconds)
      : Infinity;
    return this.calls.ask(question, caller, { ms: seconds * 1000, signal: gone, stored: drop });
  }

  /**
   * Sends progress at once and periodically if the client asked for it; else sends comments. A client that does not
   * read gets neither: they would gather in memory, and the unread data keeps its connection alive as well.
   */
  private showProgress({ _meta, sendNotification }: Extra, stream: FastifyReply['raw']): () => void {
    const progressToken = _meta?.progressToken;
    if (progressToken === undefined)
      return this.heartbeats.start(() => {
        if (!stream.writableNeedDrain) stream.write(': still pending\n\n');
      });
    let progress = 0;
    const show = (): void => {
      if (stream.writableNeedDrain) return;
      progress += 1;
      const params = { progressToken, progress, message: 'waiting for an operator' };
      sendNotification({ method: 'notifications/progress', params }).catch((error: unknown) =>
        this.failed(error, 'progress was not sent'),
      );
    };
    show();
    return this.heartbeats.start(show);
  }

  private failed(error: unknown, what: string): void {
    this.log.event('debug', 'connector.mcp-error', { error: describeError(error) }, what);
  }

  /** Finds the requests in the database, since the cancelled calls may be open on another replica. */
  private async cancel(
    cancellations: ReadonlyMap<RequestId, string>,
    caller: Identity,
    session: string,
  ): Promise<void> {
    for (const [id, reason] of await this.pendingOf(caller, session, cancellations)) {
      try {
        await this.commands.execute(
          new CancelApprovalCommand({
            cause: 'requested',
            id,
            by: actorOf(caller),
            reason,
            viewer: { keyId: caller.keyId },
            gone: null,
          }),
        );
      } catch (error) {
        // The request was settled a moment before, and its waiter has the outcome.
        if (!(error instanceof AlreadySettled || error instanceof Expired)) throw error;
      }
    }
  }

  /** The ids of the cancelled calls' requests, each with its reason. */
  private async pendingOf(
    { keyId }: Identity,
    session: string,
    cancellations: ReadonlyMap<RequestId, string>,
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    let beforeId: string | null = null;
    do {
      const page: ApprovalPage = await this.finished.list({
        keyId,
        agentId: null,
        // The requests of `gate` have the session of the agent.
        sessionId: null,
        connector: 'mcp',
        status: 'pending',
        beforeId,
        limit: PAGE_SIZE,
      });
      for (const approval of page.items) {
        const requestId = requestIdIn(session, approval);
        const reason = requestId === undefined ? undefined : cancellations.get(requestId);
        if (reason !== undefined) found.set(approval.id, reason);
      }
      beforeId = page.nextBeforeId;
    } while (beforeId !== null);
    return found;
  }
}
