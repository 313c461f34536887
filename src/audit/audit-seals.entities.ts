import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** Seals one row of the audit log, in the order of the chain. */
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

/** A row of the audit log without a seal. A trigger of `audit_log` adds it; the seal removes it. */
@Entity('audit_unsealed')
export class UnsealedAuditRowEntity {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'pk_audit_unsealed' })
  seq!: string;
}

/** A signed statement of the end of the log, also written to a file outside the database. */
@Entity('audit_checkpoints')
export class AuditCheckpointEntity {
  /** Number of the seal that it covers. */
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
