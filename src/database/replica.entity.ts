import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One running process of the service, known by its heartbeat. */
@Entity('replicas')
export class ReplicaEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_replicas' })
  id!: string;

  @Column('text')
  version!: string;

  @Column('timestamptz', { name: 'started_at' })
  startedAt!: Date;

  /** The newest policy language that it enforces; null: a version before policies. */
  @Column('integer', { name: 'policy_level', nullable: true })
  policyLevel!: number | null;

  /** The policy version that it enforces, or `none`; null: a version that reports none. */
  @Column('text', { name: 'policy_version', nullable: true })
  policyVersion!: string | null;

  /** Time of its last heartbeat, by the database's clock. */
  @Column('timestamptz', { name: 'seen_at' })
  seenAt!: Date;
}
