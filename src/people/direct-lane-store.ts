import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';

/** Parameters: channel, account, lane. */
const BEGIN: Statement = {
  name: 'direct-lane-begin',
  text: `
  insert into direct_lanes (kind, id, lane, started_at) values ($1, $2, $3, now())
  on conflict (kind, id) do update set lane = excluded.lane, started_at = excluded.started_at
    where direct_lanes.lane <> excluded.lane`,
};

/** Parameters: lane. */
const END: Statement = { name: 'direct-lane-end', text: `delete from direct_lanes where lane = $1` };

/** Remembers where channels reach each account directly. A channel may write to a person only after they wrote to it. */
@Injectable()
export class DirectLaneStore {
  constructor(private readonly database: Database) {}

  async begin(channel: string, account: string, lane: string): Promise<void> {
    await this.database.query(BEGIN, [channel, account, lane]);
  }

  /** The person has ended it, and is not reached there before they begin it again. */
  async end(lane: string): Promise<void> {
    await this.database.query(END, [lane]);
  }
}
