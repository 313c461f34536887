import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { JsonObject } from '../../kernel/json';
import { parseStrictJson, StrictJsonError } from '../../kernel/strict-json';
import { beginning } from '../../cards/excerpt';
import type { CountersignClient } from '../client';
import { Grants, type PlacedCall } from '../run/grants';
import type { SessionFiles } from '../run/session-files';
import { ToolGate, type GateAnswer, type GateEvent } from '../run/tool-gate';
import { actionOf, mergeCalls } from './acp-action';
import { AnnouncedCalls, hasEnded } from './announced-calls';
import {
  permissionSchema,
  toolCallSchema,
  verdictOptions,
  type SentToolCall,
  type VerdictOptions,
} from './permission-request';

export interface WireSettings {
  readonly client: CountersignClient;
  readonly sessions: SessionFiles;
  readonly agentId: string;
  readonly timeoutSeconds: number | undefined;
  /** Writes one message to the agent. */
  readonly toAgent: (message: object) => void;
  readonly report: (event: GateEvent) => void;
}

/** The version of the protocol whose questions this version understands. */
export const ACP_VERSION = 1;

/**
 * Requests by which an agent acts through its client without a question. The client's offer of them is withdrawn, so that
 * the agent acts itself and asks before it does.
 */
const UNASKED: ReadonlySet<string> = new Set(['fs/write_text_file', 'terminal/create']);

/** Requests of the client that go on with a session of an earlier connection. */
const LOADING: ReadonlySet<string> = new Set(['session/load', 'session/resume']);

const METHOD_NOT_FOUND = -32601;
const INVALID_REQUEST = -32600;
const INTERNAL_ERROR = -32603;

/** Time for an agent to announce a call that its question does not describe. */
const ANNOUNCED_WITHIN_MS = 5_000;
/** The longest summary that the service takes. */
const MAX_SUMMARY = 500;

const SAME_ID = 'the agent gave two of its requests the same id';
const CHANGED = 'the agent changed the call after its question';
const ENDED_UNDECIDED = 'The agent ended the call before it was decided.';
const AMBIGUOUS = 'The call is ambiguous: two readers may understand it differently.';
const CONTRADICTORY = 'The call is ambiguous: the agent announced it with another input than it asks for.';
const UNDESCRIBED = 'The agent does not say what the call would do, except in its title.';

/** A line without a message, by the spaces of JSON. */
const BLANK = /^[ \t\r\n]*$/;
/** Far more than the service takes: a result for the client may be larger than any action. */
const LINE_LIMITS = { maxDepth: 1_000, maxParts: 5_000_000 };

type RequestId = string | number;

const idSchema = z.union([z.string(), z.number()]);
interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

const inSession = z.looseObject({ sessionId: z.string() });
const placed = z.looseObject({ cwd: z.string(), sessionId: z.string().optional() });
const cancelSchema = z.looseObject({ requestId: idSchema });
const initialized = z.looseObject({ protocolVersion: z.number() });
const updateSchema = z.looseObject({
  sessionId: z.string(),
  update: z.looseObject({ sessionUpdate: z.enum(['tool_call', 'tool_call_update']) }).and(toolCallSchema),
});

/** As much of an announcement as says which call it is about. */
const announcementSchema = z.looseObject({
  sessionId: z.string(),
  update: z.looseObject({
    sessionUpdate: z.enum(['tool_call', 'tool_call_update']),
    toolCallId: z.string(),
    status: z.unknown().optional(),
  }),
});

/** A question of the agent that has no answer yet. */
interface OpenQuestion {
  /** The id as JSON, since `1` and `"1"` are two ids. */
  readonly key: string;
  readonly id: RequestId;
  readonly sessionId: string;
  readonly toolCall: SentToolCall;
  readonly options: VerdictOptions;
  readonly stop: AbortController;
  /** Null until the operators are asked. Another input of the call is another request, so it replaces this one. */
  placed: Placed | null;
}

/** The request that the gate makes for a question. */
interface Placed {
  /** The name at the gate: an agent may use an id again. */
  readonly name: string;
  readonly call: PlacedCall;
  readonly gate: ToolGate;
}

interface Session {
  readonly cwd: string;
  readonly gate: Promise<ToolGate>;
}

/**
 * The wire between an ACP client and its agent. It answers the agent's permission requests itself, as the operators decide,
 * and passes everything else on.
 *
 * Two things more, since an agent could act by them without a question: it withdraws the client's offer to write files and
 * to run commands, and it refuses a version of the protocol that it does not know.
 */
export class AcpWire {
  private readonly opened = new Map<string, Session>();
  /** The directories of sessions that are being opened, by the client's request. */
  private readonly opening = new Map<string, string>();
  /** By the key. */
  private readonly open = new Map<string, OpenQuestion>();
  /** By the name. */
  private readonly asked = new Map<string, OpenQuestion>();
  private placedCalls = 0;
  /** The keys of the agent's requests that the client has got and may answer. */
  private readonly forwarded = new Set<string>();
  private readonly gates: Promise<ToolGate>[] = [];
  private readonly announced = new AnnouncedCalls();
  private initializing: string | null = null;

  constructor(private readonly settings: WireSettings) {}

  /**
   * Handles a line of the agent.
   *
   * @returns false if it is answered here, so the client must not get it
   * @throws Error for a version of the protocol that is not known
   */
  isForClient(line: Buffer): boolean {
    const { json, isStrict } = readLine(line);
    if (Array.isArray(json)) {
      // ACP has no batches. In one, a question could reach the client.
      this.fail(null, INVALID_REQUEST, 'batches are not supported');
      return false;
    }
    const message = messageIn(json);
    if (message !== null && this.takesOver(message, isStrict)) return false;
    if (message !== null && isStrict) {
      if (typeof message.method === 'string' && message.id !== undefined) this.forward(message.id);
      return true;
    }
    if (isBlank(line)) return true;
    // A client that decodes leniently could read a question in it.
    this.trouble('a line of the agent was dropped: it is no message that every reader understands alike');
    return false;
  }

  /**
   * Handles a line of the client and passes it on, the client's capabilities without those that agents use unasked. An
   * answer passes only to a request that the client has got: the questions are answered here alone.
   *
   * @returns the value of `pass`; true if the line does not pass
   */
  fromClient(line: Buffer, pass: (line: Buffer) => boolean): boolean {
    const { json, isStrict } = readLine(line);
    if (!this.isForAgent(json, isStrict) && !isBlank(line)) return true;
    const message = messageIn(json);
    const key = message?.id === undefined ? null : JSON.stringify(message.id);
    if (message?.method === 'initialize') {
      this.initializing = key;
      return pass(withoutUnasked(message, line));
    }
    const passed = pass(line);
    if (typeof message?.method === 'string') this.follow(message.method, key, message.params);
    return passed;
  }

  /** False for an answer of the client that the agent must not get, and for a line that no reader takes for a message. */
  private isForAgent(json: unknown, isStrict: boolean): boolean {
    const messages = (Array.isArray(json) ? json : [json]).map(messageIn);
    if (!messages.some((message) => message === null || isAnswer(message))) return true;
    const [message] = messages;
    // A batch could hide an answer, and ACP has none.
    const key = Array.isArray(json) || !message ? undefined : JSON.stringify(message.id);
    const isAwaited = key !== undefined && this.forwarded.delete(key);
    if (isAwaited && isStrict) return true;
    this.trouble(
      isAwaited
        ? 'an answer of the client was dropped: readers may understand it differently'
        : 'a line of the client was dropped: it answers no request that the client has got',
    );
    const { data } = idSchema.safeParse(message?.id);
    if (isAwaited && data !== undefined) this.fail(data, INTERNAL_ERROR, 'the answer is not strict JSON');
    return false;
  }

  /** Lets the client answer this request of the agent. */
  private forward(id: unknown): void {
    const key = JSON.stringify(id);
    this.forwarded.add(key);
    if (!this.open.has(key)) return;
    this.retract(key, SAME_ID);
    this.trouble(SAME_ID);
  }

  /** Learns of sessions and turns from the client's requests. */
  private follow(method: string, key: string | null, params: unknown): void {
    const session = inSession.safeParse(params).data;
    const place = placed.safeParse(params).data;
    if (key !== null && place) this.opening.set(key, place.cwd);
    if (!session) return;
    // A session that is loaded may ask before the answer. It may use what an earlier run has left.
    if (place && LOADING.has(method)) this.begin(session.sessionId, place.cwd, true);
    if (method === 'session/prompt') this.announced.forget(session.sessionId);
    if (method === 'session/cancel') this.retractAll(session.sessionId, 'the turn was cancelled');
    if (method === 'session/close') this.retractAll(session.sessionId, 'the session was closed');
  }

  /** Cancels all that is open after the agent or the client has ended. Resolves when each cancellation ended. */
  async close(why: string): Promise<void> {
    this.retractAll(null, why);
    await Promise.allSettled(this.gates.map(async (gate) => (await gate).close(why)));
  }

  /** True for a message of the agent that the client must not get. */
  private takesOver(message: Message, isStrict: boolean): boolean {
    const { id, method, params, result } = message;
    if (typeof method !== 'string') {
      if (id !== undefined && isStrict) this.notice(JSON.stringify(id), result);
      return false;
    }
    if (method === 'session/request_permission') {
      const { data } = idSchema.safeParse(id);
      if (data === undefined) this.trouble('the agent asked without an id, so it cannot be answered');
      else this.question(data, params, isStrict);
      return true;
    }
    if (method === '$/cancel_request') {
      const { data } = cancelSchema.safeParse(params);
      const key = JSON.stringify(data?.requestId);
      if (!this.open.has(key)) return false;
      this.retract(key, 'the agent took the call back');
      return true;
    }
    if (UNASKED.has(method)) {
      const { data } = idSchema.safeParse(id);
      this.fail(data ?? null, METHOD_NOT_FOUND, `${method} is not offered: it would run without a question`);
      return true;
    }
    if (method === 'session/update') {
      this.learn(params, isStrict);
    }
    return false;
  }

  /** Learns what a call would do. A question about a call that was announced in another form cannot be decided. */
  private learn(params: unknown, isStrict: boolean): void {
    const about = announcementSchema.safeParse(params).data;
    if (!about) return;
    const { sessionId, update } = about;
    const { data } = updateSchema.safeParse(params);
    if (data && isStrict) {
      const { sessionUpdate, ...call } = data.update;
      this.announced.add(sessionId, call, sessionUpdate === 'tool_call');
    } else {
      this.announced.spoil(sessionId, update.toolCallId, update.status);
    }
    for (const question of this.open.values())
      if (question.sessionId === sessionId && question.toolCall.toolCallId === update.toolCallId)
        this.review(question, hasEnded(update.status));
  }

  /** Asks anew where an announcement after the question made the call another one, and rejects where none can be decided. */
  private review(question: OpenQuestion, isEnded: boolean): void {
    const { placed } = question;
    const call = isEnded ? ENDED_UNDECIDED : this.callOf(question);
    // A question that waits for its announcement looks at it by itself.
    if (placed === null && !isEnded) return;
    if (placed !== null) {
      if (typeof call !== 'string' && isSameAction(call, placed.call)) return;
      question.placed = null;
      this.asked.delete(placed.name);
      placed.gate.retract(placed.name, isEnded ? ENDED_UNDECIDED : CHANGED);
    }
    if (typeof call === 'string') this.refuse(question, call);
    else if (placed !== null) this.place(question, call, placed.gate);
  }

  /** Reads the agent's answers to the client for the version of the protocol and for new sessions. */
  private notice(key: string, result: unknown): void {
    if (key === this.initializing) {
      this.initializing = null;
      const version = initialized.safeParse(result).data?.protocolVersion;
      if (version !== undefined && version !== ACP_VERSION)
        throw new Error(
          `the agent speaks ACP ${version}; this version of countersign knows ACP ${ACP_VERSION}`,
        );
    }
    const cwd = this.opening.get(key);
    this.opening.delete(key);
    const session = inSession.safeParse(result).data;
    if (cwd !== undefined && session) this.begin(session.sessionId, cwd, false);
  }

  /** @param isLoaded true for a session of an earlier connection. Some agents number new sessions from 1 each time. */
  private begin(sessionId: string, cwd: string, isLoaded: boolean): void {
    if (this.opened.get(sessionId)?.cwd === cwd) return;
    const gate = this.makeGate(sessionId, cwd, isLoaded);
    // A gate that cannot be made fails the questions that wait for it.
    gate.catch(() => undefined);
    this.gates.push(gate);
    this.opened.set(sessionId, { cwd, gate });
  }

  private async makeGate(sessionId: string, cwd: string, isLoaded: boolean): Promise<ToolGate> {
    const { client, agentId, sessions, timeoutSeconds, report } = this.settings;
    await sessions.write({ version: 1, sessionId, agentId, cwd, denials: [] });
    const grants = isLoaded ? await this.grantsOf(sessionId) : Grants.none;
    const reply = (name: string, { kind }: GateAnswer): void => {
      const question = this.asked.get(name);
      this.asked.delete(name);
      if (question) this.settle(question, kind === 'allowed');
    };
    return new ToolGate({ client, sessions, agentId, sessionId, timeoutSeconds, grants, reply, report });
  }

  private async grantsOf(sessionId: string): Promise<Grants> {
    try {
      return await Grants.of(this.settings.client, this.settings.agentId, sessionId);
    } catch (error) {
      this.trouble(`earlier requests of the session cannot be read, so all are new: ${String(error)}`);
      return Grants.none;
    }
  }

  private question(id: RequestId, params: unknown, isStrict: boolean): void {
    const key = JSON.stringify(id);
    if (this.open.has(key) || this.forwarded.has(key)) {
      this.retract(key, SAME_ID);
      this.answer(id, null);
      this.trouble(SAME_ID);
      return;
    }
    const { data } = permissionSchema.safeParse(params);
    if (!data) {
      this.answer(id, null);
      this.trouble('the agent asked in a form that is not known');
      return;
    }
    const { sessionId, toolCall } = data;
    const options = verdictOptions(data.options);
    const stop = new AbortController();
    const question = { key, id, sessionId, toolCall, options, stop, placed: null };
    this.open.set(key, question);
    this.ask(question, isStrict).catch((error: unknown) => {
      this.trouble(`an unexpected error: ${String(error)}`);
      this.settle(question, false);
    });
  }

  private async ask(question: OpenQuestion, isStrict: boolean): Promise<void> {
    const { sessionId, options } = question;
    const session = this.opened.get(sessionId);
    const obstacle = !isStrict
      ? AMBIGUOUS
      : options.allow === null
        ? 'The agent offers no single way to allow this call once.'
        : null;
    if (obstacle !== null || !session) {
      this.refuse(question, obstacle ?? 'The session is not known.');
      return;
    }
    await this.announcedEnough(question);
    const gate = await session.gate;
    if (!this.isOpen(question)) return;
    // Read again, since announcements go on.
    const call = this.callOf(question);
    if (typeof call === 'string') this.refuse(question, call);
    else this.place(question, call, gate);
  }

  private place(question: OpenQuestion, call: PlacedCall, gate: ToolGate): void {
    const name = String((this.placedCalls += 1));
    question.placed = { name, call, gate };
    this.asked.set(name, question);
    gate.ask(name, call);
  }

  private refuse(question: OpenQuestion, message: string): void {
    const { title, toolCallId } = question.toolCall;
    this.settle(question, false);
    this.settings.report({ kind: 'denied', toolName: title ?? toolCallId, message });
  }

  /** False once the question has an answer. */
  private isOpen(question: OpenQuestion): boolean {
    return this.open.get(question.key) === question;
  }

  /** Resolves when the call is described, or not in time. */
  private async announcedEnough(question: OpenQuestion): Promise<void> {
    const { sessionId, toolCall, stop } = question;
    const late = AbortSignal.any([stop.signal, AbortSignal.timeout(ANNOUNCED_WITHIN_MS)]);
    while (!isAborted(late) && this.isOpen(question) && this.callOf(question) === UNDESCRIBED)
      await this.announced.next(sessionId, toolCall.toolCallId, late);
  }

  /** The action of a call with the agent's words about it; a text says why it cannot be decided. */
  private callOf({ sessionId, toolCall }: OpenQuestion): PlacedCall | string {
    const { toolCallId } = toolCall;
    const cwd = this.opened.get(sessionId)?.cwd;
    if (cwd === undefined || this.announced.isSpoiled(sessionId, toolCallId)) return AMBIGUOUS;
    const call = mergeCalls(this.announced.find(sessionId, toolCallId), toolCall);
    if (call === null) return CONTRADICTORY;
    const action = actionOf(call, cwd);
    if (action === null) return UNDESCRIBED;
    const { title, kind, name } = call;
    const acp: JsonObject = { ...(kind ? { kind } : {}), ...(name ? { name } : {}) };
    return {
      ...action,
      toolUseId: toolCallId,
      ...(title ? { summary: beginning(title, MAX_SUMMARY) } : {}),
      metadata: { acp },
    };
  }

  private retractAll(sessionId: string | null, why: string): void {
    for (const [key, question] of this.open)
      if (sessionId === null || question.sessionId === sessionId) this.retract(key, why);
  }

  /** Answers at once, and has the request cancelled. */
  private retract(key: string, why: string): void {
    const question = this.open.get(key);
    if (!question) return;
    this.open.delete(key);
    question.stop.abort();
    this.answer(question.id, null);
    const { placed } = question;
    if (placed) placed.gate.retract(placed.name, why);
  }

  /** Answers an open question by the option for once. Does nothing for one that was answered as cancelled. */
  private settle(question: OpenQuestion, isAllowed: boolean): void {
    if (!this.isOpen(question)) return;
    this.open.delete(question.key);
    this.answer(question.id, isAllowed ? question.options.allow : question.options.reject);
  }

  /** @param optionId null: cancelled */
  private answer(id: RequestId, optionId: string | null): void {
    const outcome = optionId === null ? { outcome: 'cancelled' } : { outcome: 'selected', optionId };
    this.settings.toAgent({ jsonrpc: '2.0', id, result: { outcome } });
  }

  private fail(id: RequestId | null, code: number, message: string): void {
    this.settings.toAgent({ jsonrpc: '2.0', id, error: { code, message } });
  }

  private trouble(message: string): void {
    this.settings.report({ kind: 'trouble', message });
  }
}

/** The client's first message with only those capabilities that no agent acts by. */
function withoutUnasked(message: Message, line: Buffer): Buffer {
  const params = z
    .looseObject({ clientCapabilities: z.looseObject({ fs: z.looseObject({}).optional() }) })
    .safeParse(message.params).data;
  if (!params) return line;
  const { fs, ...others } = params.clientCapabilities;
  if (fs?.writeTextFile !== true && others.terminal !== true) return line;
  const clientCapabilities = {
    ...others,
    ...(fs ? { fs: { ...fs, writeTextFile: false } } : {}),
    terminal: false,
  };
  return Buffer.from(`${JSON.stringify({ ...message, params: { ...params, clientCapabilities } })}\n`);
}

/** True for a message that some reader may take for an answer. */
const isAnswer = (message: Message): boolean =>
  typeof message.method !== 'string' || message.result !== undefined || message.error !== undefined;

const isBlank = (line: Buffer): boolean => BLANK.test(line.toString('latin1'));

/** The agent's words about a call may change while it waits; the action may not. */
const isSameAction = (one: PlacedCall, other: PlacedCall): boolean =>
  isDeepStrictEqual([one.toolName, one.toolInput, one.cwd], [other.toolName, other.toolInput, other.cwd]);

/** A function, since the compiler takes the state of a signal for constant. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Reads a line of the agent as leniently as any client would, and tells if every reader understands it alike. */
function readLine(line: Buffer): { json: unknown; isStrict: boolean } {
  try {
    return { json: parseStrictJson(line, LINE_LIMITS), isStrict: true };
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return { json: jsonOf(line.toString('utf8').trim()), isStrict: false };
  }
}

/** Without a schema, which would let through a message that it does not expect. */
function messageIn(json: unknown): Message | null {
  return typeof json === 'object' && json !== null ? json : null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // not a message
  }
}
