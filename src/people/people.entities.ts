import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** One person of one policy version; immutable. */
@Entity('people')
@Unique('uq_people_telegram', ['version', 'telegram'])
export class PersonEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_people' })
  version!: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_people' })
  name!: string;

  /** Numeric id of the Telegram user; null: decides elsewhere. */
  @Column('bigint', { nullable: true })
  telegram!: string | null;

  @Column('text', { array: true })
  groups!: string[];
}
