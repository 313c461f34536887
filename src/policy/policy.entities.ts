import { Check, Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** One version of the policy document; immutable. */
@Entity('policy_versions')
export class PolicyVersionEntity {
  /** `sha256:` and the hex SHA-256 of the document's RFC 8785 form. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_policy_versions' })
  version!: string;

  /** The document as RFC 8785 text, exactly the text that is digested. */
  @Column('text')
  document!: string;

  /** The text that was applied, with its comments. */
  @Column('text')
  source!: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;
}

/** One time at which a version became active. */
@Entity('policy_activations')
@Check('ck_policy_activations_cause', `cause in ('apply', 'rollback', 'file')`)
export class PolicyActivationEntity {
  @PrimaryGeneratedColumn('identity', {
    generatedIdentity: 'ALWAYS',
    type: 'bigint',
    primaryKeyConstraintName: 'pk_policy_activations',
  })
  seq!: string;

  @ManyToOne(() => PolicyVersionEntity, { nullable: false })
  @JoinColumn({ name: 'version', foreignKeyConstraintName: 'fk_policy_activations_version' })
  ofVersion!: PolicyVersionEntity;

  @Column('text')
  version!: string;

  @Column('text')
  cause!: 'apply' | 'rollback' | 'file';

  /** The actor, as the audit log names it. */
  @Column('text')
  actor!: string;

  @Column('timestamptz')
  at!: Date;
}

/** The one row that says which version is active. */
@Entity('policy_state')
@Check('ck_policy_state_single', 'id = 1')
export class PolicyStateEntity {
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_policy_state', default: 1 })
  id!: number;

  @ManyToOne(() => PolicyVersionEntity, { nullable: true })
  @JoinColumn({ name: 'active_version', foreignKeyConstraintName: 'fk_policy_state_version' })
  active!: PolicyVersionEntity | null;

  @Column('text', { name: 'active_version', nullable: true })
  activeVersion!: string | null;

  /** Set while a person has stopped all rules that allow. */
  @Column('timestamptz', { name: 'stopped_at', nullable: true })
  stoppedAt!: Date | null;

  @Column('text', { name: 'stopped_by', nullable: true })
  stoppedBy!: string | null;
}

/** A version that waits for a second person, or that one approved. */
@Entity('policy_proposals')
export class PolicyProposalEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_policy_proposals' })
  id!: string;

  @ManyToOne(() => PolicyVersionEntity, { nullable: false })
  @JoinColumn({ name: 'version', foreignKeyConstraintName: 'fk_policy_proposals_version' })
  ofVersion!: PolicyVersionEntity;

  @Column('text')
  version!: string;

  /** The version that was active when it was proposed. */
  @Column('text', { nullable: true })
  replaces!: string | null;

  /** Name of the proposing key. */
  @Column('text', { name: 'proposed_by' })
  proposedBy!: string;

  /** Owner of the proposing key. */
  @Column('text', { nullable: true })
  owner!: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('text', { name: 'approved_by', nullable: true })
  approvedBy!: string | null;

  @Column('timestamptz', { name: 'approved_at', nullable: true })
  approvedAt!: Date | null;
}
