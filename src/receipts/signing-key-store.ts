import { Injectable } from '@nestjs/common';
import { IsNull, Not } from 'typeorm';
import { Database, type Statement } from '../database/database';
import { SIGNING_ALGORITHM, type PublicKey } from './key-set';
import { SigningKeyEntity } from './receipts.entities';
import type { SigningKey } from './signing-key';

/** Time for which a key still signs after its rotation was requested: every replica changes long before. */
export const ROTATION_OVERLAP_SECONDS = 300;

/** A key without a time of retirement is or may be in use on a replica. */
const STATE: Statement = {
  name: 'signing-key-state',
  text: `
  select retired_at is not null as retiring,
    coalesce(extract(epoch from retired_at - now()) * 1000, 0)::float8 as left_ms
  from signing_keys where kid = $1`,
};

/** Parameters: seconds, actor. */
const RETIRE_ALL: Statement = {
  name: 'signing-key-retire-all',
  text: `
  with retired as (
    update signing_keys set retired_at = date_trunc('seconds', now()) + make_interval(secs => $1)
    where retired_at is null returning kid
  ), audited as (
    insert into audit_log (at, type, actor, data)
    select date_trunc('milliseconds', now()), 'signing-key.rotated', $2, json_build_object('kid', kid)::text from retired
  )
  select kid from retired`,
};

/** Stores the public half of every key with which a replica signs or signed. Private keys are never stored here. */
@Injectable()
export class SigningKeyStore {
  constructor(private readonly database: Database) {}

  /** Publishes a key. Call it before the first signature, so that the key can be verified on any replica. */
  async publish({ kid, x }: SigningKey): Promise<void> {
    const key = { kid, publicKey: x, publishedAt: () => 'now()' };
    await this.database.rows(SigningKeyEntity, (rows) =>
      rows.createQueryBuilder().insert().values(key).orIgnore().execute(),
    );
  }

  /** Milliseconds until the key retires, negative afterwards; null without a requested rotation. */
  async retiresInMs(kid: string): Promise<number | null> {
    const [row] = await this.database.query<{ retiring: boolean; left_ms: number }>(STATE, [kid]);
    return row?.retiring === true ? row.left_ms : null;
  }

  /** Cancels the retirement of a key without a successor. @returns true if it was about to retire. */
  async keep(kid: string): Promise<boolean> {
    const retiring = { kid, retiredAt: Not(IsNull()) };
    const { affected } = await this.database.rows(SigningKeyEntity, (rows) =>
      rows.update(retiring, { retiredAt: null }),
    );
    return affected === 1;
  }

  /**
   * Requests a new key from every replica; the keys in use retire after {@link ROTATION_OVERLAP_SECONDS}.
   *
   * @param actor - for the audit log
   * @returns the ids of the keys that retire.
   */
  async retireAll(actor: string): Promise<string[]> {
    const rows = await this.database.query<{ kid: string }>(RETIRE_ALL, [ROTATION_OVERLAP_SECONDS, actor]);
    return rows.map(({ kid }) => kid);
  }

  /** All keys, newest first. Retired ones are included, because their receipts stay evidence. */
  async all(): Promise<PublicKey[]> {
    const keys = await this.database.rows(SigningKeyEntity, (rows) =>
      rows.find({ order: { publishedAt: 'desc', kid: 'asc' } }),
    );
    return keys.map(({ kid, publicKey: x, retiredAt }) => ({
      kty: 'OKP',
      crv: 'Ed25519',
      use: 'sig',
      alg: SIGNING_ALGORITHM,
      kid,
      x,
      ...(retiredAt === null ? {} : { exp: retiredAt.getTime() / 1000 }),
    }));
  }
}
