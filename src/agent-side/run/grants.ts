import { inputDigest } from '../../kernel/canonical-json';
import type { JsonObject } from '../../kernel/json';
import type { Approval } from '../client/approval-wire';
import type { CountersignClient } from '../client';
import type { ToolCall } from './control-protocol';

/** A call with the directory in which it would run, and the agent's words about it, which nothing is decided by. */
export interface PlacedCall extends ToolCall {
  readonly cwd: string;
  readonly summary?: string;
  readonly metadata?: JsonObject;
}

/**
 * Pending or approved requests of an earlier run of the session that no agent has acted on. Each one is valid for one
 * call with exactly its tool and input.
 */
export class Grants {
  private readonly byDigest = new Map<string, Approval[]>();

  static readonly none = new Grants([]);

  /** @throws the client's errors. */
  static async of(client: CountersignClient, agentId: string, sessionId: string): Promise<Grants> {
    const left: Approval[] = [];
    for (const status of ['approved', 'pending'] as const) {
      for await (const approval of client.all({ status, agentId, sessionId })) {
        if (approval.acknowledged === null) left.push(approval);
      }
    }
    return new Grants(left);
  }

  private constructor(left: readonly Approval[]) {
    for (const approval of left) {
      const { inputDigest: digest } = approval;
      this.byDigest.set(digest, [...(this.byDigest.get(digest) ?? []), approval]);
    }
  }

  get size(): number {
    return [...this.byDigest.values()].flat().length;
  }

  /** Takes a request for this call, so that no other call can use it. */
  take(call: PlacedCall): Approval | undefined {
    return this.byDigest.get(inputDigest(call))?.shift();
  }
}
