import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A grant, and what has become of it. */
@Entity('grants')
@Index('ix_grants_open', ['keyId', 'sessionId'], { where: 'revoked_at is null' })
@Index('ix_grants_expires', ['expiresAt'])
@Index('uq_grants_approval', ['approvalId'], { unique: true })
@Check('ck_grants_uses', 'uses >= 0 and (max_uses is null or uses <= max_uses)')
@Check('ck_grants_max_uses', 'max_uses > 0')
@Check('ck_grants_time', `expires_at > made_at and expires_at <= made_at + interval '8 hours'`)
@Check(
  'ck_grants_revoked',
  '(revoked_at is null) = (revoked_by is null) and (revoked_at is null) = (revoked_why is null)',
)
export class GrantEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_grants' })
  id!: string;

  /** The approval from whose card it was made. */
  @Column('uuid', { name: 'approval_id' })
  approvalId!: string;

  @Column('text', { name: 'key_id' })
  keyId!: string;

  /** The inside of a JSON string, as in `approvals`; empty for a grant of a directory, so that earlier versions never use it. */
  @Column('text', { name: 'session_id' })
  sessionId!: string;

  /** The directory in place of a session, the inside of a JSON string. */
  @Column('text', { nullable: true })
  cwd!: string | null;

  /** The inside of a JSON string. */
  @Column('text')
  tool!: string;

  /** JSON of the scope. */
  @Column('text')
  scope!: string;

  @Column('text')
  words!: string;

  @Column('text', { name: 'policy_version', nullable: true })
  policyVersion!: string | null;

  @Column('text', { name: 'made_by_kind' })
  madeByKind!: string;

  @Column('text', { name: 'made_by_id' })
  madeById!: string;

  @Column('text', { name: 'made_by_name' })
  madeByName!: string;

  @Column('timestamptz', { name: 'made_at' })
  madeAt!: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;

  /** Null: as many as there is time for. */
  @Column('integer', { name: 'max_uses', nullable: true })
  maxUses!: number | null;

  @Column('integer')
  uses!: number;

  /** Begin of the minute in which uses were counted last, and their number. */
  @Column('timestamptz', { name: 'pace_at', nullable: true })
  paceAt!: Date | null;

  @Column('integer', { name: 'pace_uses', default: 0 })
  paceUses!: number;

  /** Time at which the operators were last told that it is used too fast. */
  @Column('timestamptz', { name: 'alarmed_at', nullable: true })
  alarmedAt!: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;

  /** The actor, as the audit log names it. */
  @Column('text', { name: 'revoked_by', nullable: true })
  revokedBy!: string | null;

  @Column('text', { name: 'revoked_why', nullable: true })
  revokedWhy!: string | null;
}
