import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** Seals one row of the audit log, in an order of its own. */
@Entity('audit_seals')
@Unique('uq_audit_seals_seq', ['seq'])
export class AuditSealEntity {
  /** 1, 2, 3 and so on, without a gap. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'pk_audit_seals' })
  number!: string;

  @Column('bigint')
  seq!: string;

  /** The hash of the seal before this one. */
  @Column('text')
  previous!: string;

  @Column('text')
  hash!: string;
}

/** A signed statement of how far the log had come, which was also written to a file outside the database. */
@Entity('audit_checkpoints')
export class AuditCheckpointEntity {
  /** Of the seal it speaks of. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'pk_audit_checkpoints' })
  number!: string;

  @Column('text')
  hash!: string;

  /** Compact JWS. */
  @Column('text')
  jws!: string;

  @Column('timestamptz', { name: 'exported_at' })
  exportedAt!: Date;
}
