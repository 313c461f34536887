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

  /** In lower case; null: the person does not sign in by e-mail at the OpenID provider. */
  @Column('text', { nullable: true })
  email!: string | null;

  /** The person's `sub` at the OpenID provider, which then counts alone. */
  @Column('text', { nullable: true })
  subject!: string | null;
}

/** One lane in which a channel reaches one account directly: the person has begun to talk to us there. */
@Entity('direct_lanes')
export class DirectLaneEntity {
  /** The channel, as in `decisions.by_kind`. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_direct_lanes' })
  kind!: string;

  /** The account, as in `decisions.by_id`. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_direct_lanes' })
  id!: string;

  @Column('text')
  lane!: string;

  @Column('timestamptz', { name: 'started_at' })
  startedAt!: Date;
}
