import type { JsonObject } from '../kernel/json';
import type {
  Acknowledgement,
  Actor,
  Approval,
  ApprovalStatus,
  Asker,
  Departure,
  Hold,
  SettledApproval,
  Settlement,
  Verdict,
} from './approval';

/** What an agent asks, before the database gave it an id and its times. */
export interface NewApproval extends Asker {
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId: string | null;
  readonly summary: string | null;
  readonly cwd: string | null;
  readonly metadata: JsonObject;
  readonly inputDigest: string;
  /** The stored text: the RFC 8785 form of the request. */
  readonly text: string;
  /** Of the text, in UTF-8. */
  readonly bytes: number;
  readonly timeoutSeconds: number;
  readonly correlationId: string;
  readonly traceparent: string | null;
  /** The caller's Idempotency-Key and the SHA-256 of the RFC 8785 form of the body it came with. */
  readonly idempotency: { readonly key: string; readonly bodyDigest: Buffer } | null;
  /** True for a caller that holds its connection open for the answer, and may join later if it loses it. */
  readonly held: boolean;
  /** By which it came; null: REST. */
  readonly connector: string | null;
}

/** The approval that now stands, and whether an earlier call with the same Idempotency-Key made it. */
export interface Enqueued {
  readonly approval: Approval;
  readonly replayed: boolean;
}

/** How a request is to end by somebody's hand. */
export interface Outcome {
  readonly status: Verdict | 'cancelled';
  readonly by: Actor;
  readonly reason: string | null;
  /** Of the card that was tapped; without one, of the card in the chat, if there is any. */
  readonly displayDigest?: string | null;
}

/** An approval as it stands, read at the database's `now`. */
export interface Snapshot {
  readonly approval: Approval;
  readonly now: Date;
  /** Milliseconds until `expiresAt` + grace, by the database's clock; 0 or less: the row is overdue. */
  readonly endsInMs: number;
  /** Of the card in the chat, as long as there is no receipt; null: there is no card either. */
  readonly displayDigest: string | null;
  /** The length of the request's text, in UTF-16 units. */
  readonly characters: number;
}

/** A request that is still pending, without what was asked. */
export type PendingLook = Pick<Snapshot, 'displayDigest' | 'now'> & {
  readonly id: string;
  readonly status: 'pending';
};

/** The state of a request that somebody waits for. */
export type Look = PendingLook | SettledApproval;

/** What a request was like when it was last read, and the database's time, carried on to this moment. */
export type LastSeen = Pick<Snapshot, 'approval' | 'displayDigest' | 'now'>;

/**
 * The approval after the attempt, at the database's `now`. `changed`: this call settled it, as asked or, when it
 * came after `expiresAt` + grace, as expired.
 */
export type SettleAttempt =
  | { readonly changed: true; readonly approval: SettledApproval; readonly now: Date }
  | { readonly changed: false; readonly approval: Approval; readonly now: Date };

/** What was due when the database was looked at. */
export interface DueLook {
  readonly due: boolean;
  /** As far as was looked: what has an `expiresAt` up to here was seen. */
  readonly until: Date;
}

export interface ApprovalFilter {
  /** Only requests created with this key; null: all. */
  readonly keyId: string | null;
  readonly status: ApprovalStatus | null;
  readonly agentId: string | null;
  readonly sessionId: string | null;
  /** Only requests that came by this connector, which no caller can claim; null: all. */
  readonly connector: string | null;
  /** Only requests made before this one. */
  readonly beforeId: string | null;
  readonly limit: number;
}

/** Of the requests that Claude Code's hook asked for. */
export interface OpenCallFilter {
  readonly keyId: string;
  readonly sessionId: string;
  /** Only these calls of a tool, and those that were asked for without the id of a call; null: all that are pending. */
  readonly call: { readonly toolName: string; readonly toolUseId: string | null } | null;
  /** Only requests made after this one; null: from the first. */
  readonly afterId: string | null;
}

/** `more`: the list goes on before the last one of these. */
export interface ApprovalsFound {
  readonly snapshots: readonly Snapshot[];
  readonly more: boolean;
}

/**
 * Where approvals live. Every transition is one conditional statement on the database's time. Reading a
 * settled approval gives it its receipt, if it has none: DomainError `receipt.unavailable` when that fails.
 */
/** A refused attempt to end a request, with the reason. */
export interface LateAttempt {
  readonly attempt: 'approved' | 'rejected' | 'cancelled';
  readonly reason: 'already-settled' | 'expired' | 'not-decidable';
}

export abstract class ApprovalStore {
  /**
   * Stores the request with its first card and its audit row, all or nothing; returns after COMMIT.
   *
   * @throws DomainError `approval.too-many-pending`, `idempotency.body-differs`.
   */
  abstract enqueue(request: NewApproval): Promise<Enqueued>;

  /**
   * What an earlier call with this Idempotency-Key made; null when there was none.
   *
   * @throws DomainError `idempotency.body-differs`.
   */
  abstract replay(request: NewApproval): Promise<Enqueued | null>;

  /**
   * Settles a request that is pending: as asked and with its receipt before `expiresAt`, as expired after
   * `expiresAt` + grace. Without a read before, where it is still as it was last seen.
   *
   * @throws DomainError `approval.not-found`, `receipt.unavailable`; `access.same-owner` for a decision with a key of
   * the asker's owner.
   */
  abstract settle(id: string, outcome: Outcome, lastSeen?: LastSeen | null): Promise<SettleAttempt>;

  /**
   * A caller comes back to a request for which nobody waits, and whose verdict nobody was given. Never past `expiresAt`.
   *
   * @returns null when it cannot be joined: somebody waits, or it has served.
   */
  abstract join(id: string): Promise<Hold | null>;

  /**
   * The same is asked anew: the request keeps its state and loses its idempotency key, if it has this one. The audit log
   * has the attempt where the request had a verdict.
   */
  abstract release(id: string, idempotencyKey: string): Promise<void>;

  /**
   * Gives the end of a request to the caller that holds it, once.
   *
   * @returns whether it may be told: false when another caller came after it.
   */
  abstract take(id: string, hold: Hold): Promise<boolean>;

  /**
   * A caller no longer waits, and was not told how the request ended.
   *
   * @returns null when it is not pending, or another caller came after this one.
   */
  abstract depart(id: string, hold: Hold): Promise<Departure | null>;

  /**
   * Cancels a pending request for which nobody has waited since that departure.
   *
   * @returns null when somebody came back, or the request ended otherwise.
   */
  abstract abandon(id: string, since: Departure, by: Actor, reason: string): Promise<SettledApproval | null>;

  /**
   * Gives a rejection by this operator the reason it lacks.
   *
   * @returns whether there was one to give it to.
   */
  abstract explain(id: string, by: Actor, reason: string): Promise<boolean>;

  /** Writes into the audit log that an attempt to end a request was refused. */
  abstract noteLate(id: string, by: Actor, late: LateAttempt): Promise<void>;

  /**
   * Notes what the agent with this key did once the request had settled.
   *
   * @returns the approval when that was news, null when it was not, or there was nothing to note it on.
   */
  abstract acknowledge(id: string, keyId: string, outcome: Acknowledgement): Promise<SettledApproval | null>;

  /** Whether anything became due after a moment; null: ever. What another replica is ending right now counts as due. */
  abstract lookForDue(after: Date | null): Promise<DueLook>;

  /**
   * Ends up to `limit` requests that are past `expiresAt` + grace, and became so after a moment; null: all. Rows another
   * replica holds are left to it. Receipts are made when they are first read.
   */
  abstract expireDue(limit: number, after: Date | null): Promise<Settlement[]>;

  /** Ends those of the given requests that are past `expiresAt` + grace; receipts as above. */
  abstract expireOverdue(ids: readonly string[]): Promise<Settlement[]>;

  abstract find(id: string): Promise<Snapshot | null>;

  /** Reads the state of awaited requests; the text only of settled ones. */
  abstract look(ids: readonly string[]): Promise<Look[]>;

  /** Newest first; fewer than the limit where the requests are large, and at least one if there is any. */
  abstract list(filter: ApprovalFilter): Promise<ApprovalsFound>;

  /** The oldest first; fewer than there are where the requests are large, and at least one if there is any. */
  abstract openCalls(filter: OpenCallFilter): Promise<Approval[]>;

  /** How many requests wait for a decision, over all replicas. */
  abstract countPending(): Promise<number>;
}
