import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The person who is on duty instead of a rota's turn. A later override of the rota replaces it. */
@Entity('rota_overrides')
export class RotaOverrideEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_rota_overrides' })
  rota!: string;

  @Column('text')
  person!: string;

  @Column('timestamptz')
  until!: Date;

  /** The one who made it, as the audit log names actors. */
  @Column('text')
  actor!: string;

  @Column('timestamptz')
  at!: Date;
}
