import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Lease of a job for a single replica: its holder, its end, and data for the next holder. */
@Entity('leases')
export class LeaseEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_leases' })
  name!: string;

  @Column('text')
  holder!: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;

  @Column('text', { default: '{}' })
  data!: string;
}
