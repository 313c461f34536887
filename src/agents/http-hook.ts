import type { Type } from '@nestjs/common';
import type { Identity } from '../access/identity';
import type { KnownAgent } from '../cards/known-agents/known-agent';
import type { ToolShapes } from '../policy/tool-shapes';
import type { Outcome } from './answers';
import type { Question } from './held-calls';

/** Takes the bodies that need no decision. It never rejects. */
export interface ReportTaker {
  take(body: unknown, caller: Identity): Promise<void>;
}

/** An agent that POSTs each tool use to a hook and waits for the reply. */
export interface HttpHook<Event> {
  readonly agent: KnownAgent;
  /** The tools whose inputs a policy can match by command, path or host. */
  readonly tools: ToolShapes;
  readonly connector: string;
  readonly route: string;
  /** Summary for the OpenAPI document. */
  readonly summary: string;
  /** The member with the name of the event; null if the agent sends none. */
  readonly eventMember: string | null;
  /** The member that every tool call has; null if each body is one. */
  readonly callMember: string | null;
  /**
   * The event that needs a decision; null for a named event that needs none. A body without a name may need one, and so
   * may a tool call under a name that is not known.
   */
  readonly gating: (name: unknown, isCall: boolean) => Event | null;
  /** @throws InvalidInput naming every fault of the body. */
  readonly question: (body: unknown, caller: Identity) => Question;
  readonly reply: (event: Event, outcome: Outcome) => object;
  /** Null if the agent reports nothing afterwards. */
  readonly reportTaker: Type<ReportTaker> | null;
}

/** The reply that decides nothing, after which the agent applies its own rules. */
export const NO_DECISION = {};

/** The event of a parsed body that needs a decision; null for a body that needs none. */
export function eventOf<Event>(
  { eventMember, callMember, gating }: Pick<HttpHook<Event>, 'eventMember' | 'callMember' | 'gating'>,
  body: unknown,
): Event | null {
  const members = body as Record<string, unknown> | null | undefined;
  const isCall = callMember === null || members?.[callMember] !== undefined;
  return gating(eventMember === null ? undefined : members?.[eventMember], isCall);
}
