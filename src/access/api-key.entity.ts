import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Role } from '../http/role';

/** One API key made with the command line; only its holder has the key itself. */
@Entity('api_keys')
@Check('ck_api_keys_role', `role in ('agent', 'operator', 'observer', 'admin')`)
@Index('uq_api_keys_digest', ['digest'], { unique: true })
export class ApiKeyEntity {
  /** Never reused, not even after the key was revoked: approvals and the audit log name it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_api_keys' })
  name!: string;

  @Column('text')
  role!: Role;

  @Column('text', { nullable: true })
  owner!: string | null;

  /** SHA-256 of the key; only a query that names this column reads it. */
  @Column('bytea', { select: false })
  digest!: Buffer;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;

  /** Accurate to some seconds, because uses are written together. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;
}
