import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Statement } from '../database/database';

/** Parameters: approvals, receipts. Inserts in the order of the ids, so that two of these cannot deadlock. */
const KEEP: Statement = {
  name: 'receipt-keep',
  withinMs: PERSON_WAITS_MS,
  text: `
  insert into receipts (approval_id, jws)
  select * from unnest($1::uuid[], $2::text[]) as made (approval_id, jws) order by approval_id
  on conflict (approval_id) do nothing`,
};

/** Parameters: approvals. Hides their number from PostgreSQL, which would otherwise plan every execution anew. */
const FIND: Statement = {
  name: 'receipt-find',
  withinMs: PERSON_WAITS_MS,
  text: `select approval_id, jws from receipts where approval_id = any((select $1::uuid[])::uuid[])`,
};

/** Stores exactly one receipt for each settled approval. */
@Injectable()
export class ReceiptStore {
  constructor(private readonly database: Database) {}

  /** @returns the stored receipts by approval; another replica may have stored its own first. */
  async keep(receipts: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
    const ids = [...receipts.keys()];
    await this.database.query(KEEP, [ids, [...receipts.values()]]);
    const rows = await this.database.query<{ approval_id: string; jws: string }>(FIND, [ids]);
    return new Map(rows.map(({ approval_id: id, jws }) => [id, jws]));
  }
}
