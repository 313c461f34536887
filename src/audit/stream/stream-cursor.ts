/** Lease of the one replica that streams; its data is the cursor. */
export const STREAM_LEASE = 'audit-stream';

/** SQL: the number of the last seal that was streamed; 0 before the first. */
export const STREAM_CURSOR = `
  select coalesce(max(case when data ~ '^[0-9]{1,18}$' then data::bigint end), 0) as cursor
  from leases where name = '${STREAM_LEASE}'`;
