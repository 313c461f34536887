import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** The decision of one person, one rule or one grant about one approval. The approval has the decision that settled it. */
@Entity('decisions')
@Check('ck_decisions_verdict', `verdict in ('approved', 'rejected')`)
export class DecisionEntity {
  @PrimaryColumn('uuid', { name: 'approval_id', primaryKeyConstraintName: 'pk_decisions' })
  approvalId!: string;

  /** The kind of actor, as answers and receipts name it: `telegram`, `api`, … */
  @PrimaryColumn('text', { name: 'by_kind', primaryKeyConstraintName: 'pk_decisions' })
  byKind!: string;

  @PrimaryColumn('text', { name: 'by_id', primaryKeyConstraintName: 'pk_decisions' })
  byId!: string;

  @Column('text', { name: 'by_name' })
  byName!: string;

  @Column('text')
  verdict!: string;

  /** Escaped like that of the approval. */
  @Column('text', { nullable: true })
  reason!: string | null;

  /** Digest of the card that this person saw; null: there was none, or the row is of an earlier version. */
  @Column('text', { name: 'display_digest', nullable: true })
  displayDigest!: string | null;

  /** JSON of the statement that the person's passkey signed, and of its signature; null: none has. */
  @Column('text', { nullable: true })
  signed!: string | null;

  @Column('timestamptz', { name: 'decided_at' })
  decidedAt!: Date;
}
