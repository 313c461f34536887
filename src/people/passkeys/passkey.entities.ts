import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One passkey of a person. It stays after its revocation, because receipts name it. */
@Entity('passkeys')
@Index('uq_passkeys_first', ['person'], { unique: true, where: 'is_first' })
@Index('ix_passkeys_person', ['person'])
export class PasskeyEntity {
  /** The credential id, in Base64url. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_passkeys' })
  id!: string;

  /** Name of the person, in lower case. */
  @Column('text')
  person!: string;

  /** COSE_Key. */
  @Column('bytea', { name: 'public_key' })
  publicKey!: Buffer;

  /** Signatures that the authenticator has counted; 0 where it does not count. */
  @Column('bigint')
  counter!: string;

  /** True if it was made when the person had none. */
  @Column('boolean', { name: 'is_first' })
  isFirst!: boolean;

  /** The one who made the invitation, as the audit log names actors. */
  @Column('text', { name: 'made_by' })
  madeBy!: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'used_at', nullable: true })
  usedAt!: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;
}

/** One link that makes a passkey, until it is used. */
@Entity('passkey_invites')
export class PasskeyInviteEntity {
  /** SHA-256 of the token in the link. */
  @PrimaryColumn('bytea', { primaryKeyConstraintName: 'pk_passkey_invites' })
  digest!: Buffer;

  @Column('text')
  person!: string;

  /** True: it makes a passkey only for a person who never had one. */
  @Column('boolean', { name: 'is_first' })
  isFirst!: boolean;

  @Column('text', { name: 'made_by' })
  madeBy!: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}

/** One random number that a passkey signs, until it is used. */
@Entity('passkey_challenges')
export class PasskeyChallengeEntity {
  /** 128 random bits, in Base64url. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_passkey_challenges' })
  nonce!: string;

  @Column('text')
  purpose!: string;

  /** JSON of the rest of the statement that is signed. */
  @Column('text')
  subject!: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}
