import { parseColumnText } from '../database/column-text';
import type { JsonObject } from '../kernel/json';
import type { Answers } from '../kernel/questions';
import type { PolicyVerdict } from '../kernel/policy-verdict';
import type { PersonsDecision, Requirement } from '../kernel/requirement';
import type { Shown } from '../receipts/receipts';
import {
  isSettled,
  unansweredReason,
  type Acknowledgement,
  type Approval,
  type ApprovalRequest,
  type ApprovalStatus,
  type SettledApproval,
  type Settlement,
} from './approval';
import { readActor, TIMEOUT_ACTOR, type NamedActor, type Actor } from '../kernel/actor';
import type { Claim, Extension } from '../kernel/claim';
import type { Erasure } from '../kernel/erasure';
import type { ApprovalState, Look, Snapshot } from './approval-store';
import type { Stored } from './new-request';

/** The columns of `approvals` that make an approval. */
export interface ApprovalRow {
  id: string;
  status: ApprovalStatus;
  key_id: string;
  owner: string | null;
  connector: string | null;
  request: string;
  input_digest: string;
  correlation_id: string;
  traceparent: string | null;
  created_at: Date;
  expires_at: Date;
  settled_at: Date | null;
  settled_by_kind: NamedActor['kind'] | null;
  settled_by_id: string | null;
  settled_by_name: string | null;
  reason: string | null;
  /** JSON; null without any. */
  answers: string | null;
  acknowledged: Acknowledgement | null;
  /** Null while there is none; absent where the statement does not select it. */
  receipt?: string | null;
  /** JSON of the policy's verdict. */
  policy: string | null;
  required: Requirement | null;
  /** Null, or absent where the statement does not select it: nobody has said anything. */
  claim?: ClaimRow | null;
  extension?: ExtensionRow | null;
  erased?: ErasureRow | null;
  /** True if nobody could be reached; absent where the statement does not select it. */
  unreachable?: boolean;
  /** Null or absent: people have decided nothing. */
  decisions?: readonly DecisionRow[] | null;
}

/** A row of `decisions` as JSON. */
interface DecisionRow extends Pick<PersonsDecision, 'person' | 'verdict' | 'displayDigest' | 'signed'> {
  kind: NamedActor['kind'];
  id: string;
  name: string;
  reason: string | null;
  at: string;
}

/** An {@link Extension} as JSON. */
interface ExtensionRow extends Pick<Extension, 'by' | 'person'> {
  readonly at: string;
}

/** A {@link Claim} as JSON. */
interface ClaimRow extends ExtensionRow {
  readonly kind: Claim['kind'];
  readonly until: string;
}

/** An {@link Erasure} as JSON. */
interface ErasureRow extends NamedActor {
  readonly reason: string;
  readonly at: string;
}

const toErasure = ({ reason, at, ...by }: ErasureRow): Erasure => ({
  by,
  at: new Date(at),
  reason: parseColumnText(reason),
});

const toExtension = (row: ExtensionRow): Extension => ({ ...row, at: new Date(row.at) });

const toClaim = ({ at, until, ...same }: ClaimRow): Claim => ({
  ...same,
  at: new Date(at),
  until: new Date(until),
});

const toPersonsDecision = ({ kind, id, name, reason, at, ...same }: DecisionRow): PersonsDecision => ({
  ...same,
  by: { kind, id, name },
  reason: reason === null ? null : parseColumnText(reason),
  at: new Date(at),
});

export interface SnapshotRow extends ApprovalRow {
  now: Date;
  ends_in_ms: number;
  /** Digest of the card that was shown; null where the statement does not select it. */
  display_digest: string | null;
}

/** The part of a request that the caller wrote, as it is stored. */
export type RequestText = Pick<
  ApprovalRequest,
  'agentId' | 'sessionId' | 'toolName' | 'toolInput' | 'toolUseId' | 'summary' | 'cwd' | 'metadata'
>;

const toVerdict = (json: string | null): PolicyVerdict | null =>
  json === null ? null : (JSON.parse(json) as PolicyVerdict);

/** @throws Error when a settled row lacks its time or its actor, which the table's constraints forbid. */
export function toApproval(row: ApprovalRow): Approval {
  const request: ApprovalRequest = {
    ...(JSON.parse(row.request) as RequestText & { toolInput: JsonObject }),
    id: row.id,
    keyId: row.key_id,
    owner: row.owner,
    connector: row.connector,
    inputDigest: row.input_digest,
    correlationId: row.correlation_id,
    traceparent: row.traceparent,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    policy: toVerdict(row.policy),
    required: row.required,
  };
  const byPeople = {
    decisions: (row.decisions ?? []).map(toPersonsDecision),
    ...(row.claim && { claim: toClaim(row.claim) }),
    ...(row.extension && { extension: toExtension(row.extension) }),
    ...(row.erased && { erasure: toErasure(row.erased) }),
  };
  if (row.status === 'pending') return { ...request, ...byPeople, status: 'pending' };
  const { settled_at: settledAt, settled_by_kind: kind, settled_by_id: id } = row;
  if (settledAt === null || kind === null || id === null)
    throw new Error(`approval ${row.id} is half settled`);
  const by = readActor({ kind, id, name: row.settled_by_name ?? id });
  const reason = row.reason === null ? null : parseColumnText(row.reason);
  const ending = {
    ...request,
    ...byPeople,
    settledAt,
    receipt: row.receipt ?? null,
    acknowledged: row.acknowledged,
  };
  switch (row.status) {
    case 'approved':
    case 'rejected':
      return { ...ending, status: row.status, decision: { by, reason, ...answersOf(row) } };
    case 'cancelled':
      return { ...ending, status: row.status, by, reason };
    case 'expired':
      return { ...ending, status: row.status, by, reason: unansweredReason(request, row.unreachable) };
  }
}

const answersOf = ({ answers }: ApprovalRow) =>
  answers === null ? {} : { answers: JSON.parse(answers) as Answers };

function toSettled(row: ApprovalRow): SettledApproval {
  const approval = toApproval(row);
  if (!isSettled(approval)) throw new Error(`approval ${row.id} is pending, and was selected as settled`);
  return approval;
}

/** Columns of a request that was settled just now. */
export type SettledRow = Pick<ApprovalRow, 'id' | 'correlation_id' | 'traceparent' | 'created_at'> & {
  settled_at: Date;
};

const toSettlement = (row: SettledRow, status: 'expired' | 'cancelled', by: Actor): Settlement => ({
  id: row.id,
  correlationId: row.correlation_id,
  traceparent: row.traceparent,
  createdAt: row.created_at,
  settledAt: row.settled_at,
  status,
  by,
});

export const toExpired = (row: SettledRow): Settlement => toSettlement(row, 'expired', TIMEOUT_ACTOR);

export const toCancelled = (row: SettledRow, by: Actor): Settlement => toSettlement(row, 'cancelled', by);

/** Columns of an ending that its receipt needs. */
export type UnsignedRow = Pick<
  ApprovalRow,
  'id' | 'key_id' | 'owner' | 'request' | 'input_digest' | 'policy'
> & {
  status: 'expired' | 'cancelled';
  agent_id: string;
  session_id: string;
  settled_at: Date;
  display_digest: string | null;
  is_signed: boolean;
};

const TOOL_NAME = ',"toolName":';

/** Reads the last but one member of a request: its own members are in RFC 8785 order. A string holds no quote without a backslash. */
function toolNameOf(request: string): string {
  const end = request.slice(request.lastIndexOf(TOOL_NAME) + 1);
  return (JSON.parse(`{${end}`) as RequestText).toolName;
}

export const toEnding = (row: UnsignedRow): Shown => ({
  approval: {
    id: row.id,
    keyId: row.key_id,
    owner: row.owner,
    agentId: parseColumnText(row.agent_id),
    sessionId: parseColumnText(row.session_id),
    toolName: toolNameOf(row.request),
    inputDigest: row.input_digest,
    status: row.status,
    settledAt: row.settled_at,
    policy: toVerdict(row.policy),
  },
  displayDigest: row.display_digest,
});

/** Columns of a request that its caller does not know. */
export type StoredRow = Pick<
  ApprovalRow,
  'id' | 'correlation_id' | 'traceparent' | 'created_at' | 'expires_at'
>;

export const toStored = (row: StoredRow): Stored => ({
  id: row.id,
  correlationId: row.correlation_id,
  traceparent: row.traceparent,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

/** Columns of a request that make its state. */
export type StateRow = Pick<SnapshotRow, 'key_id' | 'status' | 'acknowledged' | 'ends_in_ms'> & {
  bytes: number;
};

export const toState = (row: StateRow): ApprovalState => ({
  keyId: row.key_id,
  status: row.status,
  acknowledged: row.acknowledged,
  endsInMs: row.ends_in_ms,
  bytes: row.bytes,
});

export function toLook(row: SnapshotRow): Look {
  const { id, display_digest: displayDigest, ends_in_ms: endsInMs } = row;
  if (row.status === 'pending') return { id, status: 'pending', endsInMs };
  return { id, status: 'settled', approval: toSettled(row), displayDigest };
}

export function toSnapshot(row: SnapshotRow): Snapshot {
  return {
    approval: toApproval(row),
    now: row.now,
    endsInMs: row.ends_in_ms,
    displayDigest: row.display_digest,
    characters: row.request.length,
  };
}
