import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Requirement } from '../kernel/requirement';

/** The row of an approval; `approval-rows.ts` converts it to the domain's union. */
@Entity('approvals')
@Check('ck_approvals_status', `status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')`)
@Check(
  'ck_approvals_settled',
  `(status = 'pending') = (settled_at is null) and (status = 'pending') = (settled_by_id is null)`,
)
@Index('uq_approvals_idempotency', ['keyId', 'idempotencyKey'], {
  unique: true,
  where: 'idempotency_key is not null',
})
@Index('ix_approvals_own', ['keyId', 'id'])
@Index('ix_approvals_due', ['expiresAt'], { where: `status = 'pending'` })
@Index('ix_approvals_pending_own', ['keyId'], { where: `status = 'pending'` })
@Index('ix_approvals_open_calls', ['sessionId', 'keyId'], {
  where: `connector is not null and (status = 'pending' or (status = 'approved'
    and coalesce(acknowledged, '') not in ('ran', 'failed')))`,
})
@Index('ix_approvals_unsigned', ['id'], {
  where: `status in ('expired', 'cancelled') and signed is null`,
})
export class ApprovalEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_approvals' })
  id!: string;

  @Column('text', { default: 'pending' })
  status!: string;

  @Column('text', { name: 'key_id' })
  keyId!: string;

  /** Escaped like the inside of a JSON string, because PostgreSQL text cannot hold U+0000. */
  @Column('text', { name: 'agent_id' })
  agentId!: string;

  /** Escaped like `agentId`. */
  @Column('text', { name: 'session_id' })
  sessionId!: string;

  /** The request as RFC 8785 text, except that the members of the tool's input stand in the agent's order. */
  @Column('text')
  request!: string;

  /** Owner of the asking key at the time of the request. */
  @Column('text', { nullable: true })
  owner!: string | null;

  /** The connector that brought it; null: REST. */
  @Column('text', { nullable: true })
  connector!: string | null;

  @Column('text', { name: 'input_digest' })
  inputDigest!: string;

  @Column('text', { name: 'correlation_id' })
  correlationId!: string;

  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('text', { name: 'idempotency_key', nullable: true })
  idempotencyKey!: string | null;

  @Column('bytea', { name: 'body_digest', nullable: true })
  bodyDigest!: Buffer | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;

  @Column('timestamptz', { name: 'settled_at', nullable: true })
  settledAt!: Date | null;

  @Column('text', { name: 'settled_by_kind', nullable: true })
  settledByKind!: string | null;

  @Column('text', { name: 'settled_by_id', nullable: true })
  settledById!: string | null;

  @Column('text', { name: 'settled_by_name', nullable: true })
  settledByName!: string | null;

  /** Escaped like `agentId`. */
  @Column('text', { nullable: true })
  reason!: string | null;

  /** JSON of the answers to a question; null: it was not one, or nobody answered. */
  @Column('text', { nullable: true })
  answers!: string | null;

  @Column('text', { nullable: true })
  acknowledged!: string | null;

  /** The verdict of the policy, as JSON; null: no policy was active. */
  @Column('text', { nullable: true })
  policy!: string | null;

  /** The `Requirement`; null: one approval by any operator. */
  @Column('jsonb', { nullable: true })
  required!: Requirement | null;

  /** Groups and people whom its chain asks or notifies; null: the chain is not known, or everybody sees the request. */
  @Column('text', { array: true, nullable: true })
  asked!: string[] | null;

  /** The person who is on it, or comes back to it; null: nobody has said so. */
  @Column('jsonb', { nullable: true })
  claim!: object | null;

  /** The person who gave it more time last. */
  @Column('jsonb', { nullable: true })
  extension!: object | null;

  /** The admin who erased its input, with time and reason; null: nobody has. */
  @Column('jsonb', { nullable: true })
  erased!: object | null;

  /** Time since which every step of its chain is refused; null: somebody may be reached. */
  @Column('timestamptz', { name: 'unreachable_at', nullable: true })
  unreachableAt!: Date | null;

  /** The number of the caller that waits or waited last. The caller that asked has number 0. */
  @Column('integer', { default: 0 })
  joined!: number;

  /** The number of callers that left; nobody waits once this is `joined` + 1. */
  @Column('integer', { default: 0 })
  departed!: number;

  /** The replica at which the last caller waits; null: nobody waits, or the answer is being sent. */
  @Column('integer', { nullable: true })
  holder!: number | null;

  /** True once an ending that nobody decided has its receipt. A decision is stored with its receipt. */
  @Column('boolean', { nullable: true })
  signed!: boolean | null;
}
