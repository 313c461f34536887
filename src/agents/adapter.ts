import type { Provider, Type } from '@nestjs/common';
import type { KnownAgent } from '../cards/known-agents/known-agent';
import type { ToolShapes } from '../policy/tool-shapes';
import type { MemberPath, Spotted } from './member-spotter';

/** Name and traits of an adapter that its held calls need. */
export interface Connector {
  /** Label in metrics and logs, and the value of the column `connector`. */
  readonly connector: string;
  /** True if the agent reports afterwards what became of its calls. */
  readonly reports: boolean;
}

/** A body of which only the {@link AgentAdapter.members} were read, each under its path, such as `params.name`. */
export type SpottedBody = Spotted<string>;

/** The reply to refused calls, sent with status 200. */
export interface Refusal {
  /** Number of calls that it denies. */
  readonly calls: number;
  readonly answer: object;
}

/**
 * The protocol of one agent. Its route, metric labels, failure bodies and known tools derive from this descriptor; it is
 * plugged in by one line of `adapters.ts`. For an agent that calls an HTTP hook, `httpHook` makes the descriptor.
 */
export interface AgentAdapter extends Connector {
  /** The agent with its tools; null if any agent may ask through this adapter. */
  readonly agent: KnownAgent | null;
  /** The tools whose inputs a policy can match by command, path or host. */
  readonly tools: ToolShapes;
  /** Its route below `/connectors/`, of which every call may be held. */
  readonly route: string;
  /** Members of a body that determine the form of a refusal. */
  readonly members: readonly MemberPath[];
  /**
   * Refuses a call in the form that this agent takes for a denial.
   *
   * @param isAddressed true if the URL names this adapter; false if only the body can tell for whom it is
   * @returns null if the body is not for this adapter, or nobody waits for a decision
   */
  readonly refuse: (body: SpottedBody, reason: string, isAddressed: boolean) => Refusal | null;
  readonly controller: Type;
  readonly providers: readonly Provider[];
}
