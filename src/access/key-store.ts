import { Injectable } from '@nestjs/common';
import { In, IsNull } from 'typeorm';
import { Database, type Statement } from '../database/database';
import type { Role } from '../http/role';
import type { KeyRecord } from './api-key';
import { ApiKeyEntity } from './api-key.entity';

/** A valid key. */
export interface ActiveKey {
  readonly name: string;
  readonly role: Role;
  readonly owner: string | null;
  /** SHA-256 of the key, in Base64. */
  readonly digest: string;
}

const NOW = `date_trunc('milliseconds', now())`;

const RECORD = `name, role, owner, created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"`;

/** Parameters: name, role, owner, digest, actor. */
const ADD: Statement = {
  name: 'key-add',
  text: `
  with added as (
    insert into api_keys (name, role, owner, digest, created_at) values ($1, $2, $3, $4, ${NOW})
    on conflict (name) do nothing
    returning *
  ), audited as (
    insert into audit_log (at, type, actor, data)
    select created_at, 'access.key-added', $5, json_build_object('name', name, 'role', role, 'owner', owner)::text
    from added
  )
  select ${RECORD} from added`,
};

/** Parameters: name, actor. */
const REVOKE: Statement = {
  name: 'key-revoke',
  text: `
  with revoked as (
    update api_keys set revoked_at = ${NOW} where name = $1 and revoked_at is null returning *
  ), audited as (
    insert into audit_log (at, type, actor, data)
    select revoked_at, 'access.key-revoked', $2, json_build_object('name', name, 'role', role, 'owner', owner)::text
    from revoked
  )
  select ${RECORD} from revoked`,
};

/** The table of API keys. */
@Injectable()
export class KeyStore {
  constructor(private readonly database: Database) {}

  async active(): Promise<ActiveKey[]> {
    const select = { name: true, role: true, owner: true, digest: true };
    const keys = await this.database.rows(ApiKeyEntity, (rows) =>
      rows.find({ select, where: { revokedAt: IsNull() } }),
    );
    return keys.map(({ digest, ...key }) => ({ ...key, digest: digest.toString('base64') }));
  }

  async list(): Promise<KeyRecord[]> {
    return this.database.rows(ApiKeyEntity, (rows) =>
      rows.find({ order: { createdAt: 'asc', name: 'asc' } }),
    );
  }

  /** @returns the new key's record; null when another key has, or had, the name. */
  async add(
    key: {
      readonly name: string;
      readonly role: Role;
      readonly owner: string | null;
      readonly digest: Buffer;
    },
    by: string,
  ): Promise<KeyRecord | null> {
    const values = [key.name, key.role, key.owner, key.digest, by];
    const [added] = await this.database.query<KeyRecord>(ADD, values);
    return added ?? null;
  }

  /** @returns the key, revoked now or earlier; null when there is none of this name. */
  async revoke(name: string, by: string): Promise<KeyRecord | null> {
    const [revoked] = await this.database.query<KeyRecord>(REVOKE, [name, by]);
    return revoked ?? this.database.rows(ApiKeyEntity, (rows) => rows.findOneBy({ name }));
  }

  async recordUse(names: readonly string[]): Promise<void> {
    const lastUsedAt = () => NOW;
    await this.database.rows(ApiKeyEntity, (rows) => rows.update({ name: In(names) }, { lastUsedAt }));
  }
}
