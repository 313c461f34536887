import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One sign-in at the console; only the browser has its token, and only the page the secret. */
@Entity('console_sessions')
export class ConsoleSessionEntity {
  /** SHA-256 of the token. */
  @PrimaryColumn('bytea', { primaryKeyConstraintName: 'pk_console_sessions' })
  digest!: Buffer;

  /** SHA-256 of the API key for which the session stands; for a person the digest of the session, which no key has. */
  @Column('bytea', { name: 'key_digest' })
  keyDigest!: Buffer;

  /** The passkey with which its person signed in; null: with a key. */
  @Column('text', { name: 'passkey_id', nullable: true })
  passkeyId!: string | null;

  /** The person who signed in at the OpenID provider; null: with a key or a passkey. */
  @Column('text', { name: 'oidc_person', nullable: true })
  oidcPerson!: string | null;

  /** The `issuer` of that provider. */
  @Column('text', { name: 'oidc_issuer', nullable: true })
  oidcIssuer!: string | null;

  /** The person's `sub` there. */
  @Column('text', { name: 'oidc_subject', nullable: true })
  oidcSubject!: string | null;

  /** Their verified e-mail there, in lower case. */
  @Column('text', { name: 'oidc_email', nullable: true })
  oidcEmail!: string | null;

  /** SHA-256 of the secret that the page sends with every change. */
  @Column('bytea', { name: 'page_digest' })
  pageDigest!: Buffer;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  /** Accurate to a minute. */
  @Column('timestamptz', { name: 'used_at' })
  usedAt!: Date;
}

/** One link that signs in, until it is used. */
@Entity('console_links')
export class ConsoleLinkEntity {
  /** SHA-256 of the token in the link. */
  @PrimaryColumn('bytea', { primaryKeyConstraintName: 'pk_console_links' })
  digest!: Buffer;

  @Column('bytea', { name: 'key_digest' })
  keyDigest!: Buffer;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}
