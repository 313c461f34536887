import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../../database/database';

/** Parameters: query. */
const FIND: Statement = {
  name: 'counted-tap-find',
  text: 'select true as found from counted_taps where query_id = $1',
};

/** Parameters: query. Telegram keeps an update for a day, and repeats none that is older. */
const ADD: Statement = {
  name: 'counted-tap-add',
  text: `
  with over as (
    delete from counted_taps where counted_at < now() - interval '2 days'
  )
  insert into counted_taps (query_id, counted_at) values ($1, now()) on conflict do nothing`,
};

/**
 * Taps about requests that go on waiting. Telegram delivers a tap again if it did not get the answer to its delivery, and a
 * repeated Approve would count once more after its person took it back. It delivers no later tap of a chat before this one
 * is taken, so a mark after the decision comes before anything that the person does next.
 */
@Injectable()
export class CountedTapStore {
  constructor(private readonly database: Database) {}

  async has(queryId: string): Promise<boolean> {
    return (await this.database.query(FIND, [queryId])).length > 0;
  }

  async add(queryId: string): Promise<void> {
    await this.database.query(ADD, [queryId]);
  }
}
