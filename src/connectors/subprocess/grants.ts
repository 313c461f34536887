import { inputDigest } from '../../kernel/canonical-json';
import type { Approval } from '../client/approval-wire';
import type { CountersignClient } from '../client';
import type { ToolCall } from './control-protocol';

/** A call with the directory in which it would run. */
export interface PlacedCall extends ToolCall {
  readonly cwd: string;
}

/**
 * Requests that an earlier run of the session left behind, pending or approved, and that no agent has acted on: each
 * stands for one call of exactly the tool and input that it was asked for.
 */
export class Grants {
  private readonly byDigest = new Map<string, Approval[]>();

  static readonly none = new Grants([]);

  /** @throws what the client throws. */
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

  /** One that stands for this call, and no longer for another. */
  take(call: PlacedCall): Approval | undefined {
    return this.byDigest.get(inputDigest(call))?.shift();
  }
}
