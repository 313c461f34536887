import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** The one row with the OpenID provider of the replica that started last. */
@Entity('oidc_provider')
@Check('ck_oidc_provider_single', 'id = 1')
export class OidcProviderEntity {
  @PrimaryColumn('smallint', { primaryKeyConstraintName: 'pk_oidc_provider', default: 1 })
  id!: number;

  /** Null: there is none. */
  @Column('text', { nullable: true })
  issuer!: string | null;
}
