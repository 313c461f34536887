import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';
import type { Role } from '../http/allow';

/** A valid key. */
export interface ActiveKey {
  readonly name: string;
  readonly role: Role;
  readonly owner: string | null;
  /** SHA-256 of the key, in Base64. */
  readonly digest: string;
}

/** A listed key, valid or revoked. */
export interface KeyRecord {
  readonly name: string;
  readonly role: Role;
  readonly owner: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

const NOW = `date_trunc('milliseconds', now())`;

const RECORD = `name, role, owner, created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"`;

const ACTIVE: Statement = {
  name: 'key-active',
  text: `select name, role, owner, encode(digest, 'base64') as digest from api_keys where revoked_at is null`,
};

const LIST: Statement = {
  name: 'key-list',
  text: `select ${RECORD} from api_keys order by created_at, name`,
};

const FIND: Statement = { name: 'key-find', text: `select ${RECORD} from api_keys where name = $1` };

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

const NOTE_USE: Statement = {
  name: 'key-note-use',
  text: `update api_keys set last_used_at = ${NOW} where name = any($1::text[])`,
};

/** The table of API keys. */
@Injectable()
export class KeyStore {
  constructor(private readonly database: Database) {}

  async active(): Promise<ActiveKey[]> {
    return this.database.query<ActiveKey>(ACTIVE, []);
  }

  async list(): Promise<KeyRecord[]> {
    return this.database.query<KeyRecord>(LIST, []);
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
    const [found] = revoked ? [revoked] : await this.database.query<KeyRecord>(FIND, [name]);
    return found ?? null;
  }

  async noteUse(names: readonly string[]): Promise<void> {
    await this.database.query(NOTE_USE, [names]);
  }
}
