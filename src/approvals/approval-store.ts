import type { Shown } from '../receipts/receipts';
import type {
  Acknowledgement,
  Approval,
  ApprovalRequest,
  ApprovalStatus,
  DecidedApproval,
  Departure,
  Left,
  EarlierRequest,
  Hold,
  SettledApproval,
  Settlement,
  Verdict,
} from './approval';
import type { ClaimKind } from '../kernel/claim';
import type { Actor, Asker, NamedActor, Person } from '../kernel/actor';
import type { Chain } from '../kernel/chain';
import type { SignedDecision } from '../kernel/passkey-statement';
import type { PersonsDecision, Requirement } from '../kernel/requirement';
import type { Scope } from '../policy/grants/scope';
import type { PolicyVerdict } from '../kernel/policy-verdict';
import type { Enqueued, NewRequest, RuledEnding } from './new-request';
import type { Reader, Viewer } from '../kernel/viewer';

/** The request of an agent, before the policy and the database gave it a verdict, an id and its times. */
export interface Unjudged extends Asker, Pick<NewRequest, 'text' | 'bytes' | 'inputDigest'> {
  readonly agentId: string;
  readonly sessionId: string;
  readonly timeoutSeconds: number;
  readonly correlationId: string;
  readonly traceparent: string | null;
  /** The caller's Idempotency-Key and the SHA-256 of the RFC 8785 form of the body it came with. */
  readonly idempotency: { readonly key: string; readonly bodyDigest: Buffer } | null;
  /** True for a caller that holds its connection open for the answer. It may join later if it loses the connection. */
  readonly held: boolean;
  readonly connector: string | null;
}

export interface NewApproval extends Unjudged {
  /** Null: no policy is active. */
  readonly verdict: PolicyVerdict | null;
  /** Null: one decision of any operator. */
  readonly required: Requirement | null;
  /** Those who are asked one after the other; null: the lanes of the installation. */
  readonly chain: Chain | null;
}

/** A request that a rule or a grant answers: its verdict, and how its receipt is signed. */
export interface RuledApproval extends NewApproval {
  /** Null: a rule answers. */
  readonly grantId: string | null;
  readonly ending: (id: string, settledAt: Date) => Promise<RuledEnding>;
}

/** A grant that is made together with the approval of the request from which it derives. */
export interface NewGrant {
  readonly id: string;
  readonly scope: Scope;
  readonly words: string;
  readonly seconds: number;
  /** Null: as many as there is time for. */
  readonly maxUses: number | null;
  /** The version that must be active. */
  readonly policyVersion: string | null;
  /** The directory in place of the session of the request; null: bound to the session. */
  readonly cwd: string | null;
  readonly actor: Actor;
}

/** A grant of one use, for the action of a request that has ended. */
export type LateGrant = Omit<NewGrant, 'maxUses' | 'actor'>;

/** A pending request that a new grant answers. */
export type CoveredApproval = DecidedApproval & { readonly receipt: string };

/** The card that the receipt of a decision names. */
export interface ShownCard {
  /** Null: there is none. */
  readonly digest: string | null;
  /** True if this card was tapped. Otherwise it must be the one in the chat. */
  readonly tapped: boolean;
}

/** The decisions of one tap about a turn. */
export interface TurnDecisions {
  /** Digest over all calls that the message showed. */
  readonly digest: string;
  readonly calls: number;
  /** One verdict of one person, at one time, each with its receipt and the digest of its card. */
  readonly decisions: readonly (DecidedApproval & { readonly displayDigest: string })[];
}

/** An attempt of a person with a pending request. */
export type Attempt = Verdict | 'taken-back' | ClaimKind | 'extended';

/** `counted`: this person has given this verdict before, and it counts. */
export type DecisionRefusal = 'same-owner' | 'not-eligible' | 'passkey-removed' | 'needs-passkey' | 'counted';

/** The words of a decision, and the digest of the card that the person saw. */
export interface Words {
  readonly reason: string | null;
  readonly displayDigest: string | null;
  readonly signed: SignedDecision | null;
}

/** An approval, read at the database's `now`. */
export interface Snapshot {
  readonly approval: Approval;
  readonly now: Date;
  /** Milliseconds until `expiresAt` + grace, by the database's clock; 0 or less: the row is overdue. */
  readonly endsInMs: number;
  /** Digest of the card in the chat, while there is no receipt; null: there is no card either. */
  readonly displayDigest: string | null;
  /** The length of the request's text, in UTF-16 units. */
  readonly characters: number;
}

/** The state of a request, read without its text. */
export type ApprovalState = Pick<Approval, 'keyId' | 'status'> &
  Pick<Snapshot, 'endsInMs'> & {
    readonly acknowledged: Acknowledgement | null;
    /** Length of the request's text, in UTF-8 bytes. */
    readonly bytes: number;
  };

/** A request that is still pending, without its text. */
export interface PendingLook extends Pick<Snapshot, 'endsInMs'> {
  readonly id: string;
  readonly status: 'pending';
}

/** A settled request, which may lack its receipt. */
export type SettledLook = Pick<Snapshot, 'displayDigest'> & {
  readonly id: string;
  readonly status: 'settled';
  readonly approval: SettledApproval;
};

/** The state of an awaited request. */
export type Look = PendingLook | SettledLook;

/** Answer of one query for due requests. */
export interface DueLook {
  readonly due: boolean;
  /** The query covered every `expiresAt` up to here. */
  readonly until: Date;
}

/** Requests that nobody has decided, and that have not expired. */
export interface PendingSummary {
  readonly pending: number;
  /** Null: there are none. */
  readonly nextExpiry: Date | null;
}

/** A pending request, and a mark that changes with each claim, snooze and extension of it. */
export interface PendingMark {
  readonly id: string;
  readonly mark: string;
}

export interface ApprovalFilter {
  /** Only requests created with this key; null: all. */
  readonly keyId: string | null;
  readonly status: ApprovalStatus | null;
  readonly agentId: string | null;
  readonly sessionId: string | null;
  /** Only requests that came by this connector, which callers cannot set; null: all. */
  readonly connector: string | null;
  /** Only requests that this account may decide, and whose person has not decided them; absent: all. */
  readonly awaits?: Pick<NamedActor, 'kind' | 'id'>;
  /** Only requests that somebody has claimed or snoozed, until that ends; absent: all. */
  readonly isClaimed?: true;
  /** Only requests that this person sees; absent: all. */
  readonly reader?: Reader | null;
  /** Only requests made before this one. */
  readonly beforeId: string | null;
  readonly limit: number;
}

/** Selects requests of all keys, from an index; null: any. */
export interface ApprovalSearch extends Pick<
  ApprovalFilter,
  'status' | 'agentId' | 'sessionId' | 'beforeId' | 'limit'
> {
  /** Words, or their beginnings, that all are in the first 16 KiB of the request. */
  readonly text: string | null;
  readonly tool: string | null;
  /** Name or id of the person who settled it. */
  readonly person: string | null;
  /** A rule that the verdict of the policy names. */
  readonly rule: string | null;
  readonly from: Date | null;
  readonly to: Date | null;
  /** Only requests that this person sees; null: all. */
  readonly reader: Reader | null;
}

/** Somebody who sees a request that not everybody sees. */
export interface NamedReader {
  readonly person: string;
  /** True if they see it only as an admin. */
  readonly asAdmin: boolean;
}

/** Filters the requests that came by a connector. */
export interface OpenCallFilter {
  readonly keyId: string;
  readonly connector: string;
  readonly sessionId: string;
  /** Only this call of a tool, and requests for the tool without the id of a call; null: all that are pending. */
  readonly call: { readonly toolName: string; readonly toolUseId: string | null } | null;
  /** Only requests made after this one; null: from the first. */
  readonly afterId: string | null;
}

/** `more`: there are older requests than the last one of these. */
export interface ApprovalsFound {
  readonly snapshots: readonly Snapshot[];
  readonly more: boolean;
}

/** A refused attempt to end a request, with the reason. */
export interface LateAttempt {
  readonly attempt: 'approved' | 'rejected' | 'cancelled';
  readonly reason: 'already-settled' | 'expired' | 'not-decidable' | 'bad-signature';
}

/**
 * Stores approvals. Every transition is one conditional statement on the database's time. A decision is stored with its
 * receipt; an ending that nobody decided is read without one until it was signed.
 */
export abstract class ApprovalStore {
  /**
   * Stores the request with its first card and its audit row, all or nothing; returns after COMMIT.
   *
   * @throws DomainError `approval.too-many-pending`, `idempotency.body-differs`.
   */
  abstract enqueue(request: NewApproval): Promise<Enqueued>;

  /**
   * Stores the request settled as its verdict says, with its receipt and its audit rows and without a card, all or nothing.
   *
   * @returns null if the verdict's version is no longer active, or somebody has stopped the rules that allow
   * @throws DomainError `idempotency.body-differs`
   */
  abstract enqueueRuled(request: RuledApproval): Promise<Enqueued | null>;

  /**
   * Finds the approval that an earlier call with this Idempotency-Key made; null when there was none.
   *
   * @throws DomainError `idempotency.body-differs`.
   */
  abstract replay(request: Unjudged): Promise<Enqueued | null>;

  /**
   * Settles a pending request as decided, with its receipt, before `expiresAt`.
   *
   * @param others the decisions of other people that count together with this one
   * @returns false if the request, its card or its decisions changed since it was read, that was too long ago, the time is
   * up, or this person may not decide it
   */
  abstract settle(
    decided: DecidedApproval,
    shown: ShownCard,
    others: readonly PersonsDecision[],
  ): Promise<boolean>;

  /**
   * Records a decision of a pending request that needs more people.
   *
   * @returns false if it would settle the request, this person has decided so before or may not decide it, or the time is up
   */
  abstract count(id: string, by: Person, verdict: Verdict, words: Words): Promise<boolean>;

  /** Takes back what this person decided about a request that is still pending. @returns true if there was anything. */
  abstract takeBack(id: string, by: Person): Promise<boolean>;

  /**
   * Claims a pending request that is not claimed, or snoozes one.
   *
   * @returns false if somebody is on it, the time is up, or this person may not decide it
   */
  abstract claim(
    id: string,
    by: Person,
    claim: { readonly kind: ClaimKind; readonly seconds: number },
  ): Promise<boolean>;

  /**
   * Gives a pending request more time.
   *
   * @returns false if it would be more than the longest, the time is up, or this person may not decide it
   */
  abstract extend(
    id: string,
    by: Person,
    time: { readonly seconds: number; readonly longestSeconds: number; readonly warningSeconds: number },
  ): Promise<boolean>;

  /**
   * Settles several pending requests as one tap decided, each with its receipt, before its `expiresAt`.
   *
   * @returns the ids of all that were settled; the others have changed since they were read, or that was too long ago
   */
  abstract settleTurn(turn: TurnDecisions): Promise<readonly string[]>;

  /**
   * Settles a pending request as approved, makes a grant from it, and settles what the grant covers in its session.
   *
   * @returns the ids of all that were settled; none for the reasons of {@link settle}, if another policy version is active,
   * the rules are stopped, or the key has too many open grants
   */
  abstract grant(
    decided: DecidedApproval,
    shown: ShownCard,
    grant: NewGrant,
    covered: readonly CoveredApproval[],
  ): Promise<readonly string[]>;

  /**
   * Makes a grant of one use from a request that expired or whose key cancelled it. Finds the one that this person made before.
   *
   * @returns null if the request is another by now, another policy version is active, the rules are stopped, or the key has
   * too many open grants
   */
  abstract grantLate(
    from: Pick<Approval, 'id' | 'toolName'>,
    by: Person,
    grant: LateGrant,
  ): Promise<
    | { readonly id: string; readonly expiresAt: Date; readonly usesLeft: number | null }
    | 'same-owner'
    | 'not-eligible'
    | 'granted-before'
    | null
  >;

  /**
   * Explains why a decision neither settled a pending request nor counts, and audits a refusal.
   *
   * @returns null if nothing stands in its way any more
   */
  abstract explainRefusal(
    id: string,
    by: Person,
    attempt: Attempt,
    signed?: SignedDecision | null,
  ): Promise<DecisionRefusal | null>;

  /**
   * Attaches a returning caller to a request that has no waiter, before `expiresAt`.
   *
   * @returns null when it cannot be joined: a caller waits, or the verdict was delivered.
   */
  abstract join(id: string): Promise<Hold | null>;

  /**
   * Removes this idempotency key from the request, so that the agent can ask anew; the request keeps its state. Audits
   * the attempt if the request has a verdict.
   */
  abstract release(id: string, idempotencyKey: string): Promise<void>;

  /**
   * Claims the one delivery of the ending for the caller with this hold.
   *
   * @returns true if that caller may be answered, false if another caller joined after it.
   */
  abstract take(id: string, hold: Hold): Promise<boolean>;

  /**
   * Records that a caller no longer waits and did not receive the ending.
   *
   * @returns null when it is not pending, or another caller joined after this one.
   */
  abstract depart(id: string, hold: Hold): Promise<Left | null>;

  /**
   * Cancels a pending request before `expiresAt`, without reading its text. The receipt is signed later.
   *
   * @param since cancels only if no caller has joined since that departure; null: in any case
   * @returns null when a caller came back, the time is up, or the request ended otherwise
   */
  abstract cancel(
    id: string,
    by: Person,
    reason: string | null,
    since: Departure | null,
  ): Promise<Settlement | null>;

  /**
   * Adds the reason to a rejection by this operator that has none.
   *
   * @returns true if there was such a rejection.
   */
  abstract explain(id: string, by: Person, reason: string): Promise<boolean>;

  /**
   * Erases the input of a settled request, its words in the index, and what the verdict of the policy quotes of it.
   *
   * @returns false if there is no such request, it is pending, or its input was erased before
   */
  abstract eraseInput(id: string, by: Person, reason: string): Promise<boolean>;

  /** Writes a refused attempt to end a request into the audit log. */
  abstract recordLate(id: string, by: Person, late: LateAttempt): Promise<void>;

  /**
   * Records the acknowledgement of the agent with this key for a settled request, without reading its text.
   *
   * @returns true if this was new; false if it was not, or there was no such settled request.
   */
  abstract acknowledge(id: string, keyId: string, outcome: Acknowledgement): Promise<boolean>;

  /** Reads the state of a request, which may be overdue; null: there is none that the viewer sees. Sees those of all keys. */
  abstract stateOf(id: string, viewer?: Viewer): Promise<ApprovalState | null>;

  /**
   * Checks whether any request became due after a moment; null: at any time. Requests that another replica is ending
   * right now count as due.
   */
  abstract lookForDue(after: Date | null): Promise<DueLook>;

  /**
   * Ends up to `limit` requests that are past `expiresAt` + grace, and became so after a moment; null: all. Skips rows
   * that another replica holds. The receipts are signed later.
   */
  abstract expireDue(limit: number, after: Date | null): Promise<Settlement[]>;

  /** Ends those of the given requests that are past `expiresAt` + grace; the receipts are signed later. */
  abstract expireOverdue(ids: readonly string[]): Promise<Settlement[]>;

  /**
   * Signs up to `limit` endings without a receipt, and stores the receipts. Skips those that another replica signs.
   *
   * @returns their number; they may include some that a reader had signed.
   */
  abstract signEndings(limit: number, sign: (ending: Shown) => Promise<string>): Promise<number>;

  /**
   * Reads a request; null: there is none that the viewer sees. Of an agent's key, it sees the requests of all keys.
   * For an agent's key, takes a turn among its other reads; rejects with RateLimited at too many.
   * Drops a read whose turn comes after `gone` has aborted: then rejects with its reason.
   */
  abstract find(id: string, viewer?: Viewer, gone?: AbortSignal | null): Promise<Snapshot | null>;

  /** Reads the state of awaited requests; the text only of settled ones. */
  abstract look(ids: readonly string[]): Promise<Look[]>;

  /** Newest first. Returns fewer than the limit if the requests are large, but at least one if there is any. */
  abstract list(filter: ApprovalFilter): Promise<ApprovalsFound>;

  /**
   * Like {@link list}, for operators.
   *
   * @throws DomainError `search.too-broad` if so many match that the newest of them cannot be found in time
   */
  abstract search(search: ApprovalSearch): Promise<ApprovalsFound>;

  /** Oldest first. Returns a part if the requests are large, but at least one if there is any. */
  abstract openCalls(filter: OpenCallFilter): Promise<Approval[]>;

  /**
   * The last three requests of the session that were made before this one with the same key: the newest first.
   *
   * @param reader only those that this person sees; null: all
   */
  abstract earlierInSession(
    request: Pick<ApprovalRequest, 'id' | 'keyId' | 'sessionId'>,
    reader: Reader | null,
  ): Promise<EarlierRequest[]>;

  /**
   * Requests that can still be decided; those that end first come first. If there are more than the limit, an
   * equal part of each key.
   */
  abstract pending(limit: number): Promise<PendingMark[]>;

  /** The people who see a request; null: everybody. */
  abstract readersOf(id: string): Promise<readonly NamedReader[] | null>;

  /** Summarizes the requests that can still be decided. @param reader only those that this person sees; null: all */
  abstract summarizePending(reader?: Reader | null): Promise<PendingSummary>;
}
