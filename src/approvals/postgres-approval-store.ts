import { Inject, Injectable } from '@nestjs/common';
import type { QueryResultRow } from 'pg';
import { CONFIG, type Config } from '../config/environment';
import { toColumnText } from '../database/column-text';
import {
  Database,
  isLockTimeout,
  isUnavailable,
  PERSON_WAITS_MS,
  type Query,
  type Statement,
} from '../database/database';
import { Lanes } from '../outbox/lanes';
import type { SignedDecision } from '../kernel/passkey-statement';
import type { PersonsDecision } from '../kernel/requirement';
import type { Shown } from '../receipts/receipts';
import { ReplicaPresence } from '../database/replica-presence';
import { Turns } from '../database/turns';
import { canonicalize } from '../kernel/canonical-json';
import { DomainError } from '../kernel/errors';
import {
  replacedBy,
  type Acknowledgement,
  type Approval,
  type ApprovalRequest,
  type ApprovalStatus,
  type Departure,
  type EarlierRequest,
  type Hold,
  type Left,
  type DecidedApproval,
  type Settlement,
  type Verdict,
} from './approval';
import type { News } from '../kernel/announcement';
import { nameActor, type NamedActor, type Person } from '../kernel/actor';
import {
  toApproval,
  toCancelled,
  toEnding,
  toExpired,
  toLook,
  toSnapshot,
  toState,
  toStored,
  type ApprovalRow,
  type RequestText,
  type SettledRow,
  type SnapshotRow,
  type StateRow,
  type StoredRow,
  type UnsignedRow,
} from './approval-rows';
import {
  ACKNOWLEDGE,
  CANCEL,
  COUNT,
  DEPART,
  ENQUEUE,
  ENQUEUE_COUNTED,
  EXPLAIN,
  EXPLAIN_REFUSAL,
  EXPIRE_DUE,
  EXPIRE_OVERDUE,
  EXPIRE_OVERDUE_AND_FREE,
  FIND,
  FIND_BY_IDEMPOTENCY_KEY,
  LOOK,
  FIND_OPEN_CALLS,
  JOIN,
  LIST,
  LIST_FOUND,
  LOCK,
  LOCK_PASSKEYS,
  LOOK_FOR_DUE,
  NOTE_LATE,
  RELEASE,
  SETTLE,
  SETTLE_TURN,
  SIGNED,
  STATE,
  FIND_EARLIER,
  FIND_PENDING,
  FIND_PENDING_FAIRLY,
  FIND_READERS,
  SUMMARIZE_PENDING,
  TAKE,
  TAKE_BACK,
  UNSIGNED,
} from './approval-statements';
import {
  ApprovalStore,
  type ApprovalFilter,
  type ApprovalSearch,
  type ApprovalState,
  type ApprovalsFound,
  type Attempt,
  type DecisionRefusal,
  type DueLook,
  type Look,
  type CoveredApproval,
  type LateAttempt,
  type LateGrant,
  type NewGrant,
  type NamedReader,
  type NewApproval,
  type OpenCallFilter,
  type PendingMark,
  type PendingSummary,
  type RuledApproval,
  type ShownCard,
  type Snapshot,
  type TurnDecisions,
  type Unjudged,
  type Words,
} from './approval-store';
import { CLAIM, EXTEND } from './claim-statements';
import type { ClaimKind } from '../kernel/claim';
import { ERASE, LOCK_RECORDS } from './erase-statements';
import { EnqueueBatches } from './enqueue-batches';
import type { Enqueued, Stored } from './new-request';
import { GRANT, GRANT_LATE } from './grant-statements';
import { answersDigest } from '../kernel/questions';
import { readerIn, type Reader, type Viewer } from '../kernel/viewer';
import { readerValues } from '../people/eligible';
import { PendingHeadroom, type Amount } from './pending-headroom';
import { policyText } from './policy-column';
import { ReadShares } from './read-shares';
import { lowestId } from './records/lowest-id';
import { factsQuery, MAX_FOUND, SEARCH, wordsQuery } from './records/search-statements';
import { NEW_IDS, STORE_RULED } from './ruled-statements';

/**
 * Reason a request was not stored: its idempotency key was taken, or its API key has too many or too large ones
 * pending.
 */
type NotStored = 'asked-before' | 'too-many' | 'too-large';

/** No id: not stored. `pending`: of the key, before this statement, if counted. `admitted`: there was room. */
interface EnqueuedRow {
  readonly id: string | null;
  readonly created_at: Date | null;
  readonly expires_at: Date | null;
  readonly pending: number | null;
  readonly pending_bytes: number | null;
  readonly admitted: boolean;
}

type EarlierRow = Omit<EarlierRequest, 'request'> & { readonly request: string | null };

interface RuledRow {
  readonly expires_at: Date | null;
  readonly stored: boolean;
  /** True if the version was active, nobody had stopped the rules, and the grant had a use left. */
  readonly valid: boolean;
}

type StoredRuled = Pick<Enqueued, 'approval' | 'ending'> | 'asked-before' | 'stale';

/** Returns the last two members of the text of a request, in the order in which `enqueue` writes them. */
function endOfRequest(toolName: string, toolUseId: string | null): string {
  return `,${canonicalize({ toolName, toolUseId } satisfies Partial<RequestText>).slice(1)}`;
}

function newsOf({ keyId, decision }: DecidedApproval, { words, seconds, maxUses, cwd }: NewGrant): News {
  // News are `jsonb`, which cannot hold U+0000 either.
  const place = cwd === null ? null : toColumnText(cwd);
  return { event: 'grant-made', by: decision.by, scope: words, keyId, seconds, maxUses, cwd: place };
}

/** The order of PostgreSQL’s collation "C". */
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** True if the trigger refused an approval for want of people: the policy changed while it was counted. */
const lacksPeople = (error: unknown): boolean =>
  (error as { constraint?: unknown } | null)?.constraint === 'ck_approvals_quorum';

const signedText = (decision: { readonly signed: SignedDecision | null } | undefined): string | null =>
  decision?.signed ? JSON.stringify(decision.signed) : null;

/** True for a person who signs in with a passkey: see `accountOf`. */
const isOfPasskeys = ({ kind, id }: NamedActor): boolean => kind === 'console' && id.startsWith('person:');

const MIB = 1024 * 1024;

@Injectable()
export class PostgresApprovalStore extends ApprovalStore {
  private readonly graceSeconds: number;
  private readonly grantUsesPerMinute: number;
  private readonly maxPending: Amount;
  private readonly headroom: PendingHeadroom;
  private readonly turns = new Turns();
  private readonly shares: ReadShares;
  private readonly enqueues = new EnqueueBatches<NewApproval, Stored | NotStored>({
    run: (items) => this.enqueueAll(items),
    // The counted requests must not change meanwhile, or two statements would admit the last request twice.
    mustRunAlone: (items) => !this.headroom.isSure(items),
    failsAlone: (error) => !isUnavailable(error) || isLockTimeout(error),
  });

  private readonly ruled = new EnqueueBatches<RuledApproval, StoredRuled>({
    run: (items) => this.storeRuled(items),
    mustRunAlone: () => false,
    failsAlone: (error) => !isUnavailable(error) || isLockTimeout(error),
  });

  constructor(
    private readonly database: Database,
    private readonly presence: ReplicaPresence,
    private readonly lanes: Lanes,
    @Inject(CONFIG) config: Config,
  ) {
    super();
    this.graceSeconds = config.approvals.gracePeriodSeconds;
    this.grantUsesPerMinute = config.approvals.grantUsesPerMinute;
    const { maxPendingPerAgent: requests, maxPendingBytesPerAgent: bytes } = config.approvals;
    this.maxPending = { requests, bytes };
    this.headroom = new PendingHeadroom(this.maxPending);
    this.shares = new ReadShares(config);
  }

  async enqueue(request: NewApproval): Promise<Enqueued> {
    const stored = await this.enqueues.add(request);
    return typeof stored === 'string'
      ? this.earlier(request, stored)
      : {
          approval: stored,
          replayed: false,
          verdict: request.verdict,
          required: request.required,
          ending: null,
        };
  }

  async enqueueRuled(request: RuledApproval): Promise<Enqueued | null> {
    const stored = await this.ruled.add(request);
    if (stored === 'stale') return null;
    if (stored !== 'asked-before')
      return { ...stored, replayed: false, verdict: request.verdict, required: null };
    return (await this.replay(request)) ?? this.enqueueRuled(request);
  }

  private async storeRuled(requests: readonly RuledApproval[]): Promise<StoredRuled[]> {
    const ids = await this.database.query<{ id: string; now: Date }>(NEW_IDS, [requests.length]);
    const endings = await Promise.all(
      ids.map(async ({ id, now }, place) => {
        const request = requests[place];
        if (!request) throw new Error('an id without a request');
        return { id, now, request, ending: await request.ending(id, now) };
      }),
    );
    const actors = endings.map(({ ending }) => nameActor(ending.decision.by));
    const rows = await this.database.query<RuledRow>(STORE_RULED, [
      ...this.columnsOf(requests),
      endings.map(({ id }) => id),
      endings.map(({ ending }) => ending.status),
      requests.map(({ verdict }) => verdict?.version ?? null),
      actors.map(({ kind }) => kind),
      actors.map(({ id }) => id),
      actors.map(({ name }) => name),
      endings.map(({ ending: { decision } }) =>
        decision.reason === null ? null : toColumnText(decision.reason),
      ),
      requests.map(({ verdict }) => policyText(verdict)),
      endings.map(({ ending }) => ending.receipt),
      requests.map(({ grantId }) => grantId),
      endings[0]?.now,
      this.grantUsesPerMinute,
      this.lanes.current,
    ]);
    return endings.map(({ id, now, request, ending }, place): StoredRuled => {
      const row = rows[place];
      if (!row?.valid) return 'stale';
      if (!row.stored || row.expires_at === null) return 'asked-before';
      const { correlationId, traceparent } = request;
      return {
        approval: { id, correlationId, traceparent, createdAt: now, expiresAt: row.expires_at },
        ending,
      };
    });
  }

  /** The first parameters of the statements that insert requests. */
  private columnsOf(requests: readonly NewApproval[]): readonly unknown[] {
    return [
      requests.map(({ keyId }) => keyId),
      requests.map(({ agentId }) => toColumnText(agentId)),
      requests.map(({ sessionId }) => toColumnText(sessionId)),
      requests.map(({ text }) => text),
      requests.map(({ inputDigest }) => inputDigest),
      requests.map(({ correlationId }) => correlationId),
      requests.map(({ idempotency }) => idempotency?.key ?? null),
      requests.map(({ idempotency }) => idempotency?.bodyDigest ?? null),
      requests.map(({ timeoutSeconds }) => timeoutSeconds),
      requests.map(({ traceparent }) => traceparent),
      requests.map(({ owner }) => owner),
      requests.map(({ held }) => (held ? this.presence.visibleNumber : null)),
      requests.map(({ connector }) => connector),
    ];
  }

  private async enqueueAll(requests: readonly NewApproval[]): Promise<(Stored | NotStored)[]> {
    const counted = this.headroom.unsure(requests);
    const values = [
      ...this.columnsOf(requests),
      requests.map(({ verdict }) => policyText(verdict)),
      requests.map(({ required }) => required && JSON.stringify(required)),
      this.lanes.current,
      requests.map(({ chain }) => chain && JSON.stringify({ steps: chain })),
    ];
    const rows = await (counted.length === 0
      ? this.database.query<EnqueuedRow>(ENQUEUE, values)
      : this.database.query<EnqueuedRow>(ENQUEUE_COUNTED, [
          ...values,
          counted,
          this.maxPending.requests,
          this.maxPending.bytes,
        ]));
    const bytes = requests.reduce((sum, request) => sum + request.bytes, 0);
    return requests.map((request, place): Stored | NotStored => {
      const row = rows[place];
      if (!row) throw new Error('a request without a row');
      const { id, created_at: createdAt, expires_at: expiresAt, pending, pending_bytes: pendingBytes } = row;
      const { keyId, correlationId, traceparent } = request;
      if (pending !== null && pendingBytes !== null)
        this.headroom.counted(keyId, { requests: pending + rows.length, bytes: pendingBytes + bytes });
      if (id !== null && createdAt !== null && expiresAt !== null)
        return { id, correlationId, traceparent, createdAt, expiresAt };
      if (row.admitted) return 'asked-before';
      return (pendingBytes ?? 0) + bytes > this.maxPending.bytes ? 'too-large' : 'too-many';
    });
  }

  /**
   * Answers a request that was not stored. An earlier request may lose its key meanwhile; then this one is enqueued
   * again.
   */
  private async earlier(request: NewApproval, why: NotStored): Promise<Enqueued> {
    const earlier = await this.replay(request);
    if (earlier) return earlier;
    if (why === 'asked-before') return this.enqueue(request);
    const { requests, bytes } = this.maxPending;
    throw new DomainError(
      'approval.too-many-pending',
      why === 'too-many'
        ? `This key has ${requests} requests pending; wait for decisions or cancel some.`
        : `The pending requests of this key and this one are more than ${bytes / MIB} MiB; wait for decisions or cancel some.`,
    );
  }

  async replay({ keyId, idempotency }: Unjudged): Promise<Enqueued | null> {
    if (!idempotency) return null;
    const values = [keyId, idempotency.key, idempotency.bodyDigest];
    const [earlier] = await this.database.query<StoredRow & { is_same: boolean }>(
      FIND_BY_IDEMPOTENCY_KEY,
      values,
    );
    if (!earlier) return null;
    if (!earlier.is_same) {
      throw new DomainError(
        'idempotency.body-differs',
        'This Idempotency-Key was used with another body; use a new key for a new request.',
      );
    }
    return { approval: toStored(earlier), replayed: true, verdict: null, required: null, ending: null };
  }

  async settle(
    approval: DecidedApproval,
    shown: ShownCard,
    others: readonly PersonsDecision[],
  ): Promise<boolean> {
    const { reason, answers } = approval.decision;
    const by = nameActor(approval.decision.by);
    const values = [
      approval.id,
      approval.status,
      by.kind,
      by.id,
      by.name,
      reason === null ? null : toColumnText(reason),
      this.lanes.current,
      approval.settledAt,
      approval.receipt,
      shown.tapped,
      shown.digest,
      others.map(({ by: { kind, id }, at }) => `${kind}:${id}@${at.getTime()}`).toSorted(compareBytes),
      answers ? JSON.stringify(answers) : null,
      signedText(approval.decisions.find((each) => each.by.kind === by.kind && each.by.id === by.id)),
      answers ? answersDigest(answers) : null,
    ];
    const isByOne = approval.required === null && !isOfPasskeys(by);
    if (isByOne) return (await this.change(approval.id, SETTLE, values)).length > 0;
    try {
      return (await this.changeLocked(approval.id, SETTLE, values, by)).length > 0;
    } catch (error) {
      if (lacksPeople(error)) return false;
      throw error;
    }
  }

  async claim(
    id: string,
    by: Person,
    { kind, seconds }: { readonly kind: ClaimKind; readonly seconds: number },
  ): Promise<boolean> {
    const values = [id, seconds, by.channel, by.id, by.name, this.lanes.current, kind];
    return (await this.change(id, CLAIM, values)).length > 0;
  }

  async extend(
    id: string,
    by: Person,
    time: { readonly seconds: number; readonly longestSeconds: number; readonly warningSeconds: number },
  ): Promise<boolean> {
    const { seconds, longestSeconds, warningSeconds } = time;
    const who = [by.channel, by.id, by.name];
    const values = [id, seconds, ...who, this.lanes.current, longestSeconds, warningSeconds];
    return (await this.change(id, EXTEND, values)).length > 0;
  }

  async settleTurn({ digest, calls, decisions }: TurnDecisions): Promise<readonly string[]> {
    const [first] = decisions;
    if (!first) return [];
    const by = nameActor(first.decision.by);
    const rows = await this.database.query<{ id: string }>(SETTLE_TURN, [
      decisions.map(({ id }) => id),
      first.status,
      by.kind,
      by.id,
      by.name,
      decisions.map(({ receipt }) => receipt),
      this.lanes.current,
      first.settledAt,
      decisions.map(({ displayDigest }) => displayDigest),
      digest,
      calls,
    ]);
    return rows.map(({ id }) => id);
  }

  async count(id: string, by: Person, verdict: Verdict, words: Words): Promise<boolean> {
    const { reason, displayDigest } = words;
    const text = reason === null ? null : toColumnText(reason);
    const values = [
      id,
      verdict,
      by.channel,
      by.id,
      by.name,
      text,
      this.lanes.current,
      displayDigest,
      signedText(words),
    ];
    return (await this.changeLocked(id, COUNT, values, nameActor(by))).length > 0;
  }

  async takeBack(id: string, by: Person): Promise<boolean> {
    return (await this.changeLocked(id, TAKE_BACK, [id, by.channel, by.id, this.lanes.current])).length > 0;
  }

  async grant(
    approval: DecidedApproval,
    shown: ShownCard,
    grant: NewGrant,
    covered: readonly CoveredApproval[],
  ): Promise<readonly string[]> {
    const by = nameActor(approval.decision.by);
    const rows = await this.change<{ id: string }>(approval.id, GRANT, [
      approval.id,
      approval.status,
      by.kind,
      by.id,
      by.name,
      this.lanes.current,
      approval.settledAt,
      approval.receipt,
      shown.tapped,
      shown.digest,
      grant.id,
      JSON.stringify(grant.scope),
      grant.words,
      toColumnText(approval.toolName),
      grant.seconds,
      grant.maxUses,
      grant.policyVersion,
      nameActor(grant.actor).name,
      covered.map(({ id }) => id),
      covered.map(({ receipt }) => receipt),
      JSON.stringify(newsOf(approval, grant)),
      grant.cwd === null ? null : toColumnText(grant.cwd),
    ]);
    return rows.map(({ id }) => id);
  }

  async grantLate(from: Pick<Approval, 'id' | 'toolName'>, by: Person, grant: LateGrant) {
    const news: Omit<News & { event: 'grant-made' }, 'keyId'> = {
      event: 'grant-made',
      by,
      scope: grant.words,
      seconds: grant.seconds,
      maxUses: 1,
      cwd: grant.cwd === null ? null : toColumnText(grant.cwd),
    };
    const [row] = await this.database.query<{
      refusal: 'same-owner' | 'not-eligible' | null;
      id: string | null;
      expires_at: Date | null;
      uses_left: number | null;
    }>(GRANT_LATE, [
      from.id,
      this.lanes.current,
      by.channel,
      by.id,
      by.name,
      grant.id,
      JSON.stringify(grant.scope),
      grant.words,
      toColumnText(from.toolName),
      grant.seconds,
      grant.policyVersion,
      news.cwd,
      JSON.stringify(news),
    ]);
    if (!row) return null;
    if (row.refusal) return row.refusal;
    const { id, expires_at: expiresAt, uses_left: usesLeft } = row;
    return id === null || expiresAt === null ? 'granted-before' : { id, expiresAt, usesLeft };
  }

  async explainRefusal(
    id: string,
    by: Person,
    attempt: Attempt,
    signed: SignedDecision | null = null,
  ): Promise<DecisionRefusal | null> {
    const [row] = await this.database.query<{ why: DecisionRefusal | null }>(EXPLAIN_REFUSAL, [
      id,
      attempt,
      by.channel,
      by.id,
      signedText({ signed }),
    ]);
    return row?.why ?? null;
  }

  async join(id: string): Promise<Hold | null> {
    const [row] = await this.change<{ joined: Hold }>(id, JOIN, [id, this.presence.visibleNumber]);
    return row?.joined ?? null;
  }

  async release(id: string, idempotencyKey: string): Promise<void> {
    await this.change(id, RELEASE, [id, idempotencyKey]);
  }

  async take(id: string, hold: Hold): Promise<boolean> {
    return (await this.change(id, TAKE, [id, hold])).length > 0;
  }

  async depart(id: string, hold: Hold): Promise<Left | null> {
    const [row] = await this.change<{
      status: ApprovalStatus;
      departed: Departure;
      expires_at: Date;
      unreachable: boolean;
    }>(id, DEPART, [id, hold]);
    if (row?.status !== 'pending') return null;
    return { departure: row.departed, expiresAt: row.expires_at, isUnreachable: row.unreachable };
  }

  async cancel(
    id: string,
    by: Person,
    reason: string | null,
    since: Departure | null,
  ): Promise<Settlement | null> {
    const text = reason === null ? null : toColumnText(reason);
    const values = [id, by.channel, by.id, by.name, text, since, this.lanes.current];
    const [row] = await this.change<SettledRow>(id, CANCEL, values);
    return row ? toCancelled(row, by) : null;
  }

  async recordLate(id: string, by: Person, { attempt, reason }: LateAttempt): Promise<void> {
    await this.database.query(NOTE_LATE, [id, by.channel, by.id, attempt, reason]);
  }

  async explain(id: string, by: Person, reason: string): Promise<boolean> {
    const values = [id, by.channel, by.id, toColumnText(reason), this.lanes.current];
    return (await this.change(id, EXPLAIN, values)).length > 0;
  }

  async eraseInput(id: string, by: Person, reason: string): Promise<boolean> {
    const values = [id, by.channel, by.id, by.name, toColumnText(reason), this.lanes.current];
    const erased = await this.database.transaction(async (query) => {
      await query(LOCK_RECORDS, []);
      return query(ERASE, values);
    }, PERSON_WAITS_MS);
    return erased.length > 0;
  }

  async acknowledge(id: string, keyId: string, outcome: Acknowledgement): Promise<boolean> {
    const values = [id, keyId, outcome, this.lanes.current, replacedBy(outcome)];
    return (await this.change(id, ACKNOWLEDGE, values)).length > 0;
  }

  async stateOf(id: string, viewer: Viewer = 'everything'): Promise<ApprovalState | null> {
    const values = [this.graceSeconds, id, ...readerValues(readerIn(viewer))];
    const [row] = await this.database.query<StateRow>(STATE, values);
    return row ? toState(row) : null;
  }

  async lookForDue(after: Date | null): Promise<DueLook> {
    const [look] = await this.database.query<DueLook>(LOOK_FOR_DUE, [this.graceSeconds, after]);
    if (!look) throw new Error('a look that answers nothing');
    return look;
  }

  async expireDue(limit: number, after: Date | null): Promise<Settlement[]> {
    return this.expire(EXPIRE_DUE, [this.graceSeconds, limit, this.lanes.current, after]);
  }

  async expireOverdue(ids: readonly string[]): Promise<Settlement[]> {
    const values = [this.graceSeconds, ids, this.lanes.current];
    const [id] = ids;
    if (id === undefined || ids.length > 1) return this.expire(EXPIRE_OVERDUE_AND_FREE, values);
    return this.turns.take(id, () => this.expire(EXPIRE_OVERDUE, values));
  }

  signEndings(limit: number, sign: (ending: Shown) => Promise<string>): Promise<number> {
    return this.database.transaction(async (query) => {
      const rows = await query<UnsignedRow>(UNSIGNED, [limit]);
      const unsigned = rows.filter(({ is_signed: isSigned }) => !isSigned);
      const receipts = await Promise.all(unsigned.map((row) => sign(toEnding(row))));
      const ids = (of: readonly UnsignedRow[]) => of.map(({ id }) => id);
      if (rows.length > 0) await query(SIGNED, [ids(rows), ids(unsigned), receipts]);
      return rows.length;
    });
  }

  private async expire(statement: Statement, values: readonly unknown[]): Promise<Settlement[]> {
    return (await this.database.query<SettledRow>(statement, values)).map(toExpired);
  }

  /** Runs a statement that waits while another one holds the approval. */
  private change<Row extends QueryResultRow>(
    id: string,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    return this.turns.take(id, () => this.database.query<Row>(statement, values));
  }

  /** Runs a statement whose snapshot must be younger than its locks. @param decider none: nothing is decided */
  private changeLocked<Row extends QueryResultRow>(
    id: string,
    statement: Statement,
    values: readonly unknown[],
    decider?: NamedActor,
  ): Promise<Row[]> {
    const work = async (query: Query) => {
      await query(LOCK, [id]);
      if (decider) await query(LOCK_PASSKEYS, [id, decider.kind, decider.id]);
      return query<Row>(statement, values);
    };
    return this.turns.take(id, () => this.database.transaction(work, PERSON_WAITS_MS));
  }

  find(id: string, viewer: Viewer = 'everything', gone: AbortSignal | null = null): Promise<Snapshot | null> {
    if (viewer === 'everything' || !('keyId' in viewer)) return this.read(id, readerIn(viewer));
    return this.shares.take(viewer.keyId, (took) => this.read(id, null, took), gone);
  }

  private async read(
    id: string,
    reader: Reader | null,
    took?: (bytes: number) => void,
  ): Promise<Snapshot | null> {
    const values = [this.graceSeconds, id, ...readerValues(reader)];
    const rows = await this.database.query<SnapshotRow>(FIND, values);
    for (const { request } of rows) took?.(request.length);
    const [row] = rows;
    return row ? toSnapshot(row) : null;
  }

  async look(ids: readonly string[]): Promise<Look[]> {
    const rows = await this.database.query<SnapshotRow>(LOOK, [this.graceSeconds, ids]);
    return rows.map(toLook);
  }

  async list(filter: ApprovalFilter): Promise<ApprovalsFound> {
    const rows = await this.database.query<SnapshotRow & { listed: number }>(LIST, [
      this.graceSeconds,
      filter.keyId,
      filter.status,
      filter.agentId === null ? null : toColumnText(filter.agentId),
      filter.sessionId === null ? null : toColumnText(filter.sessionId),
      filter.beforeId,
      filter.limit,
      filter.connector,
      filter.awaits?.kind ?? null,
      filter.awaits?.id ?? null,
      filter.isClaimed ?? null,
      ...readerValues(filter.reader ?? null),
    ]);
    const more = rows.some(({ listed }) => listed > rows.length);
    return { snapshots: rows.map(toSnapshot), more };
  }

  async search(search: ApprovalSearch): Promise<ApprovalsFound> {
    const { status, beforeId, limit } = search;
    const agent = search.agentId && toColumnText(search.agentId);
    const session = search.sessionId && toColumnText(search.sessionId);
    const tool = search.tool && toColumnText(search.tool);
    // These are stored as they are, without U+0000.
    const person = search.person?.replaceAll('\u0000', '') ?? null;
    const rule = search.rule?.replaceAll('\u0000', '') ?? null;
    const found = await this.database.query<{ id: string; is_too_broad: boolean }>(SEARCH, [
      beforeId,
      limit + 1,
      search.text === null ? null : wordsQuery(search.text),
      factsQuery({ agent, session, tool, person, rule, status }),
      search.from && lowestId(search.from),
      search.to && lowestId(search.to),
      status,
      agent,
      session,
      tool,
      person,
      rule,
      ...readerValues(search.reader),
    ]);
    if (found.some(({ is_too_broad: isTooBroad }) => isTooBroad))
      throw new DomainError(
        'search.too-broad',
        `More than ${MAX_FOUND} requests match, and not the newest ones. Add a time (from, to) or another filter.`,
      );
    const values = [this.graceSeconds, found.map(({ id }) => id), limit];
    const rows = await this.database.query<SnapshotRow & { listed: number }>(LIST_FOUND, values);
    return { snapshots: rows.map(toSnapshot), more: rows.some(({ listed }) => listed > rows.length) };
  }

  async openCalls({ keyId, connector, sessionId, call, afterId }: OpenCallFilter): Promise<Approval[]> {
    const ends = call ? [call.toolUseId, null].map((id) => endOfRequest(call.toolName, id)) : [null, null];
    const values = [toColumnText(sessionId), keyId, ...ends, afterId, connector];
    return (await this.database.query<ApprovalRow>(FIND_OPEN_CALLS, values)).map(toApproval);
  }

  async earlierInSession(
    { id, keyId, sessionId }: Pick<ApprovalRequest, 'id' | 'keyId' | 'sessionId'>,
    reader: Reader | null,
  ): Promise<EarlierRequest[]> {
    const values = [keyId, id, toColumnText(sessionId), ...readerValues(reader)];
    const rows = await this.database.query<EarlierRow>(FIND_EARLIER, values);
    return rows.map(({ request, ...state }) => ({
      ...state,
      request: request === null ? null : (JSON.parse(request) as RequestText),
    }));
  }

  async pending(limit: number): Promise<PendingMark[]> {
    const find = (statement: Statement) =>
      this.database.query<PendingMark & QueryResultRow>(statement, [limit]);
    const rows = await find(FIND_PENDING);
    return rows.length < limit ? rows : find(FIND_PENDING_FAIRLY);
  }

  async readersOf(id: string): Promise<readonly NamedReader[] | null> {
    const values = [id];
    const [row] = await this.database.query<{ readers: NamedReader[] | null }>(FIND_READERS, values);
    return row ? row.readers : [];
  }

  async summarizePending(reader: Reader | null = null): Promise<PendingSummary> {
    const [row] = await this.database.query<PendingSummary>(SUMMARIZE_PENDING, readerValues(reader));
    return row ?? { pending: 0, nextExpiry: null };
  }
}
