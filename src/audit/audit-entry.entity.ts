import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

@Entity('audit_log')
// Indexes over an expression, which TypeORM cannot declare: the migrations create them.
@Index('uq_audit_log_flood', { synchronize: false })
@Index('uq_audit_log_too_large', { synchronize: false })
export class AuditEntryEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_audit_log',
  })
  seq!: string;

  @Column('timestamptz')
  at!: Date;

  @Column('text')
  type!: string;

  /** `kind:id` of the actor. */
  @Column('text')
  actor!: string;

  @Index('ix_audit_log_approval')
  @Column('uuid', { name: 'approval_id', nullable: true })
  approvalId!: string | null;

  @Column('text', { name: 'correlation_id', nullable: true })
  correlationId!: string | null;

  @Column('text')
  data!: string;
}
