import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The public half of a key with which a replica signs or signed. */
@Entity('signing_keys')
export class SigningKeyEntity {
  /** The RFC 7638 thumbprint. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_signing_keys' })
  kid!: string;

  /** The 32 bytes of an Ed25519 key, base64url. */
  @Column('text', { name: 'public_key' })
  publicKey!: string;

  @Column('timestamptz', { name: 'published_at' })
  publishedAt!: Date;

  /** Set when a rotation is requested: until then replicas may still sign with it. */
  @Column('timestamptz', { name: 'retired_at', nullable: true })
  retiredAt!: Date | null;
}

/** The signed statement of a settled approval. */
@Entity('receipts')
export class ReceiptEntity {
  @PrimaryColumn('uuid', { name: 'approval_id', primaryKeyConstraintName: 'pk_receipts' })
  approvalId!: string;

  /** Compact JWS. */
  @Column('text')
  jws!: string;
}
