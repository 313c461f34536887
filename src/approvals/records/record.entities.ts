import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The one row with the id up to which requests were read for the records. */
@Entity('record_state')
@Check('ck_record_state_single', 'id = 1')
export class RecordStateEntity {
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_record_state', default: 1 })
  id!: number;

  @Column('uuid', { name: 'after_id', default: '00000000-0000-0000-0000-000000000000' })
  afterId!: string;
}

/** A request that was read while it was pending. It is read again when it has ended. */
@Entity('record_waiting')
export class RecordWaitingEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_record_waiting' })
  id!: string;
}

/** The number of requests that ended in an hour, alike in all other columns. */
@Entity('insight_hours')
export class InsightHourEntity {
  /** `all`, `tool`, `agent`, `person` or `rule`. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_insight_hours' })
  dimension!: string;

  @PrimaryColumn('timestamptz', { primaryKeyConstraintName: 'pk_insight_hours' })
  hour!: Date;

  /** Escaped like `agentId` of an approval; empty: all, or those beyond the names that an hour keeps. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_insight_hours' })
  name!: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_insight_hours' })
  status!: string;

  /** `rule`, `grant`, `person` or `nobody`. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_insight_hours' })
  answered!: string;

  /** Number of the interval of the time to a person's decision; -1: no person decided. */
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_insight_hours' })
  bucket!: number;

  @Column('integer')
  count!: number;
}

/** The words of a request that has ended, and the facts by which a list is filtered. */
@Entity('approval_words')
// An inverted index, which TypeORM cannot declare: the migration creates it.
@Index('ix_approval_words', { synchronize: false })
export class ApprovalWordsEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_approval_words' })
  id!: string;

  @Column('tsvector')
  words!: string;
}
