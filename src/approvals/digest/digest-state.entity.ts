import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** The one row with the interval of the last digest. The next one begins where it ended. */
@Entity('digest_state')
@Check('ck_digest_state_single', 'id = 1')
export class DigestStateEntity {
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_digest_state', default: 1 })
  id!: number;

  @Column('timestamptz', { name: 'covered_since', nullable: true })
  coveredSince!: Date | null;

  /** Null: no digest was due yet. */
  @Column('timestamptz', { name: 'covered_until', nullable: true })
  coveredUntil!: Date | null;
}
