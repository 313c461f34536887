import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One sign-in at the OpenID provider that has begun, until its answer is presented. */
@Entity('oidc_sign_ins')
export class OidcSignInEntity {
  /** SHA-256 of `state`. */
  @PrimaryColumn('bytea', { name: 'state_digest', primaryKeyConstraintName: 'pk_oidc_sign_ins' })
  stateDigest!: Buffer;

  /** SHA-256 of the cookie of the browser that began it. */
  @Column('bytea', { name: 'browser_digest' })
  browserDigest!: Buffer;

  @Column('text')
  nonce!: string;

  /** The secret of PKCE (RFC 7636). */
  @Column('text', { name: 'code_verifier' })
  codeVerifier!: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}
