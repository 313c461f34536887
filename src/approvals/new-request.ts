import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { canonicalize, canonicalObject, sha256Hex } from '../kernel/canonical-json';
import type { Asker } from '../kernel/actor';
import type { Requirement } from '../kernel/requirement';
import type { PolicyVerdict } from '../kernel/policy-verdict';
import type { JsonObject } from '../kernel/json';
import type { Approval, ApprovalRequest, DecidedApproval } from './approval';

/** A longer text is written, digested and stored in event loop turns of its own. */
const CHARACTERS_IN_A_TURN = 64 * 1024;

/** The caller's body; absent members are null. */
export interface EnqueueBody {
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId?: string | null | undefined;
  readonly summary?: string | null | undefined;
  readonly cwd?: string | null | undefined;
  readonly timeoutSeconds?: number | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
}

/** The part of a request that the database adds to it. */
export type Stored = Pick<
  ApprovalRequest,
  'id' | 'correlationId' | 'traceparent' | 'createdAt' | 'expiresAt'
>;

/** The ending of a request that a rule answered, with its receipt. */
export type RuledEnding = Pick<DecidedApproval, 'status' | 'settledAt' | 'decision' | 'acknowledged'> & {
  readonly receipt: string;
};

/** The stored request, and whether an earlier call with the same Idempotency-Key made it. */
export interface Enqueued {
  readonly approval: Stored;
  readonly replayed: boolean;
  /** Null: no policy was active, or the request is a replay. */
  readonly verdict: PolicyVerdict | null;
  readonly required: Requirement | null;
  /** Set if a rule answered it. */
  readonly ending: RuledEnding | null;
}

type Forms = Partial<Record<keyof EnqueueBody, string>>;

/** A request of an agent, built once where it comes in: each member is brought into its RFC 8785 form once. */
export class NewRequest {
  /** The stored text: RFC 8785 except for the order of members in the tool's input, which cards show as the agent wrote it. */
  readonly text: string;
  /** Length of the text, in UTF-8 bytes. */
  readonly bytes: number;
  readonly inputDigest: string;

  private constructor(
    readonly body: EnqueueBody,
    private readonly forms: Forms,
  ) {
    const { toolInput, toolName, cwd = 'null', toolUseId = 'null', summary = 'null' } = forms;
    const { agentId, sessionId, metadata = 'null' } = forms;
    const data = metadata === 'null' ? '{}' : metadata;
    const asWritten = JSON.stringify(body.toolInput);
    const asked = { agentId, cwd, metadata: data, sessionId, summary, toolName, toolUseId };
    this.text = canonicalObject({ ...asked, toolInput: asWritten });
    this.bytes = Buffer.byteLength(this.text);
    this.inputDigest = `sha256:${sha256Hex(canonicalObject({ cwd, toolInput, toolName }))}`;
  }

  static async of(body: EnqueueBody): Promise<NewRequest> {
    const forms: Forms = {};
    for (const name of Object.keys(body) as (keyof EnqueueBody)[]) {
      const value = body[name];
      if (value === undefined) continue;
      const form = canonicalize(value);
      forms[name] = form;
      if (form.length > CHARACTERS_IN_A_TURN) await nextTurn();
    }
    const request = new NewRequest(body, forms);
    if (request.text.length > CHARACTERS_IN_A_TURN) await nextTurn();
    return request;
  }

  /** The SHA-256 of the RFC 8785 form of the body as it was sent. */
  bodyDigest(): Buffer {
    return hash('sha256', canonicalObject(this.forms), 'buffer');
  }

  /** The approval that a request by REST is once it is stored. */
  stored(asker: Asker, { approval, ending, verdict, required }: Enqueued): Approval {
    const pending = this.pending(asker, approval, verdict, required);
    return ending ? { ...pending, ...ending } : pending;
  }

  private pending(
    { keyId, owner }: Asker,
    stored: Stored,
    policy: PolicyVerdict | null,
    required: Requirement | null,
  ): Approval {
    const {
      agentId,
      sessionId,
      toolName,
      toolInput,
      toolUseId = null,
      summary = null,
      cwd = null,
    } = this.body;
    const { id, correlationId, traceparent, createdAt, expiresAt } = stored;
    // Written out: building it from parts would cost an enqueue more than storing it.
    return {
      id,
      keyId,
      owner,
      agentId,
      sessionId,
      toolName,
      toolInput,
      toolUseId,
      summary,
      cwd,
      metadata: this.body.metadata ?? {},
      connector: null,
      inputDigest: this.inputDigest,
      correlationId,
      traceparent,
      createdAt,
      expiresAt,
      policy,
      required,
      decisions: [],
      status: 'pending',
    };
  }
}
