import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** The one row with the times of what one replica does for all. */
@Entity('fatigue_state')
@Check('ck_fatigue_state_single', 'id = 1')
export class FatigueStateEntity {
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_fatigue_state', default: 1 })
  id!: number;

  /** Time of the last look at decisions; null: none yet. */
  @Column('timestamptz', { name: 'looked_at', nullable: true })
  lookedAt!: Date | null;

  /** End of the week of the last message; null: none was due yet. */
  @Column('timestamptz', { name: 'week_until', nullable: true })
  weekUntil!: Date | null;
}

/** The last warning of each cause about a person. */
@Entity('fatigue_warnings')
@Check('ck_fatigue_warnings_cause', `cause in ('many', 'fast')`)
export class FatigueWarningEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_fatigue_warnings' })
  person!: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_fatigue_warnings' })
  cause!: 'many' | 'fast';

  @Column('timestamptz', { name: 'warned_at' })
  warnedAt!: Date;
}
