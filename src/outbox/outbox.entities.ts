import { Check, Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** One message that must still be sent; a finished one is deleted. */
@Entity('outbox')
@Check('ck_outbox_kind', `kind in ('card', 'outcome', 'warning', 'digest', 'notice', 'step')`)
@Index('uq_outbox_lane_work', ['approvalId', 'lane', 'kind'], { unique: true })
@Index('ix_outbox_lane', ['chatId', 'threadId', 'urgency', 'id'], { where: 'dead_at is null' })
@Index('ix_outbox_text_lane', ['lane', 'urgency', 'id'], { where: 'dead_at is null' })
@Index('ix_outbox_steps', ['availableAt'], { where: `kind = 'step'` })
export class OutboxEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_outbox',
  })
  id!: string;

  /** Null for work that concerns the whole lane. */
  @Column('uuid', { name: 'approval_id', nullable: true })
  approvalId!: string | null;

  @Column('text')
  kind!: 'card' | 'outcome' | 'warning' | 'digest' | 'notice' | 'step';

  @Column('text')
  lane!: string;

  /** Used by no version any more, like `threadId`. */
  @Column('bigint', { name: 'chat_id', nullable: true })
  chatId!: string | null;

  @Column('bigint', { name: 'thread_id', default: 0 })
  threadId!: string;

  @Column('smallint')
  urgency!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  /** Earliest time for the work; while leased, the end of the lease. */
  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  /** The fencing token: counts up with every lease; only its newest holder may finish the work. */
  @Column('bigint', { name: 'lease_token', default: 0 })
  leaseToken!: string;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('timestamptz', { name: 'dead_at', nullable: true })
  deadAt!: Date | null;

  @Column('text', { name: 'last_error', nullable: true })
  lastError!: string | null;

  /** Set while the lane refuses a card for good, as far as a chain is concerned; the card is retried all the same. */
  @Column('timestamptz', { name: 'refused_at', nullable: true })
  refusedAt!: Date | null;

  /** Content of a digest or notice, or the chain of a step, as JSON. */
  @Column('text', { nullable: true })
  data!: string | null;
}

/** State of one lane: its pause, and the time of its last digest. */
@Entity('outbox_lanes')
export class OutboxLaneEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_outbox_lanes' })
  lane!: string;

  /** Failures in a row; each makes the next pause longer. */
  @Column('integer', { default: 0 })
  failures!: number;

  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  /** Time of the digest about the current backlog. */
  @Column('timestamptz', { name: 'digest_at', nullable: true })
  digestAt!: Date | null;
}

/** Used only by the version before: state of one lane, a chat or a topic. */
@Entity('lane_states')
export class LaneStateEntity {
  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_lane_states' })
  chatId!: string;

  @PrimaryColumn('bigint', { name: 'thread_id', primaryKeyConstraintName: 'pk_lane_states' })
  threadId!: string;

  @Column('integer', { default: 0 })
  failures!: number;

  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  @Column('timestamptz', { name: 'digest_at', nullable: true })
  digestAt!: Date | null;
}
