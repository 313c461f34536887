import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';
import { CHANNELS } from '../kernel/actor';
import type { Reader } from '../kernel/viewer';
import { MAY_SEE, readerValues } from '../people/eligible';
import { RequestHistory, type PastRequest } from '../policy/request-history';
import type { ApprovalRow, RequestText } from './approval-rows';
import { lowestId } from './records/lowest-id';
import { policyRequestOf } from './policy-request-of';

const PAGE_ROWS = 500;
/** A page ends after this many bytes of requests; it has at least one. To parse it holds the event loop for some milliseconds. */
const PAGE_BYTES = 512 * 1024;

const COLUMNS = `id, key_id, owner, connector, request, input_digest, status, settled_by_kind, settled_by_name, created_at`;

/** Parameters: after id, since, reader, whether they may be an admin. Ids grow with time, so the primary key is the order of time. */
const PAGE: Statement = {
  name: 'approval-history-page',
  text: `
  select ${COLUMNS} from (
    select *, sum(octet_length(request)) over (order by id) - octet_length(request) as bytes_before
    from (
      select ${COLUMNS}
      from approvals where id > $1 and created_at >= $2 and erased is null and ${MAY_SEE('$3', '$4')}
      order by id limit ${PAGE_ROWS}) as found) as measured
  where bytes_before < ${PAGE_BYTES}
  order by id`,
};

/** Parameters: lowest id, since, reader, whether they may be an admin. */
const COUNT: Statement = {
  name: 'approval-history-count',
  text: `
  select count(*)::int as count from approvals
  where id > $1 and created_at >= $2 and erased is null and ${MAY_SEE('$3', '$4')}`,
};

/** Parameters: key, after id, since, limit. */
const RECENT: Statement = {
  name: 'approval-history-recent',
  text: `
  select ${COLUMNS} from (
    select *, sum(octet_length(request)) over (order by id desc) - octet_length(request) as bytes_before
    from (
      select ${COLUMNS} from approvals
      where key_id = $1 and id > $2 and created_at >= $3 and erased is null order by id desc limit $4) as found) as measured
  where bytes_before < ${PAGE_BYTES}
  order by id desc`,
};

type PageRow = Pick<
  ApprovalRow,
  | 'id'
  | 'key_id'
  | 'owner'
  | 'connector'
  | 'request'
  | 'input_digest'
  | 'status'
  | 'settled_by_kind'
  | 'settled_by_name'
  | 'created_at'
>;

@Injectable()
export class PostgresRequestHistory extends RequestHistory {
  constructor(private readonly database: Database) {
    super();
  }

  async count(at: Date, reader: Reader | null): Promise<number> {
    const [row] = await this.database.query<{ readonly count: number }>(COUNT, [
      lowestId(at),
      at,
      ...readerValues(reader),
    ]);
    return row?.count ?? 0;
  }

  async recent(keyId: string, since: Date, limit: number): Promise<readonly PastRequest[]> {
    const rows = await this.database.query<PageRow>(RECENT, [keyId, lowestId(since), since, limit]);
    return rows.map(toPast);
  }

  async *since(at: Date, reader: Reader | null): AsyncGenerator<readonly PastRequest[]> {
    for (let after = lowestId(at); ;) {
      const rows = await this.database.query<PageRow>(PAGE, [after, at, ...readerValues(reader)]);
      const last = rows.at(-1);
      if (!last) return;
      yield rows.map(toPast);
      after = last.id;
    }
  }
}

function toPast(row: PageRow): PastRequest {
  const { id, key_id: keyId, owner, connector, status, settled_by_kind: kind, settled_by_name: by } = row;
  const request = policyRequestOf(JSON.parse(row.request) as RequestText, { keyId, owner }, connector);
  const isPerson = CHANNELS.some((channel) => channel === kind);
  const decided =
    isPerson && (status === 'approved' || status === 'rejected')
      ? { verdict: status, by: by ?? 'unknown' }
      : null;
  return { id, request, inputDigest: row.input_digest, at: row.created_at, decided };
}
