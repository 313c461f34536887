import { AuditStreamed, AuditStreamFailed } from '../../audit/stream/stream-events';
import { STREAM_FAILURES } from '../../audit/stream/stream-failure';
import { AuditVerification } from '../../audit/audit-verification';
import { CONFIG, type Config } from '../../config/environment';
import { Database } from '../../database/database';
import { Heartbeat } from '../../database/heartbeat';
import { ConnectionLimit } from '../../http/connection-limit';
import { BUILD } from '../../kernel/build';
import { ReceiptsFailed } from '../../receipts/receipt-events';
import { Backlog, ofBacklog } from './backlog';
import type { BacklogCounts } from './backlog-store';
import { counter, gauge, histogram, KNOWN_LATER, total, type Metric } from './metric';
import { RequestAnswered, RouteAdded } from './metric-events';

const HTTP_BUCKETS_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];

const ofStream = (count: keyof BacklogCounts) => ({
  from: [Backlog, CONFIG] as const,
  read: async (backlog: Backlog, { auditStream }: Config) =>
    auditStream === null ? null : ((await backlog.read())?.[count] ?? null),
});

/** Audit, receipts, and the resources of this replica. */
export const REPLICA_METRICS: readonly Metric[] = [
  gauge({
    name: 'countersign_build_info',
    help: 'Always 1; the labels tell what runs here.',
    labels: Object.keys(BUILD),
    from: [],
    read: () => [[BUILD, 1]],
  }),
  gauge({
    name: 'audit_unsealed_rows',
    help: 'Rows of the audit log without a seal, from the database; a second after the last write there are none.',
    ...ofBacklog('auditUnsealed'),
  }),
  gauge({
    name: 'audit_seal_lag_seconds',
    help: 'Age of the oldest row of the audit log without a seal, from the database; 0 without any.',
    ...ofBacklog('auditSealLagSeconds'),
  }),
  gauge({
    name: 'audit_stream_lag_rows',
    help: 'Sealed rows of the audit log that AUDIT_STREAM has not taken, from the database; absent where it is unset.',
    ...ofStream('auditStreamLagRows'),
  }),
  gauge({
    name: 'audit_stream_lag_seconds',
    help: 'Age of the oldest of those rows, from the database; 0 without any, absent where AUDIT_STREAM is unset.',
    ...ofStream('auditStreamLagSeconds'),
  }),
  counter({
    name: 'audit_stream_rows_total',
    help: 'Rows of the audit log that AUDIT_STREAM took from this replica.',
    counts: AuditStreamed,
    amount: ({ rows }) => rows,
  }),
  counter({
    name: 'audit_stream_failures_total',
    help: 'Attempts to send rows of the audit log to AUDIT_STREAM that failed, retries included.',
    labels: { reason: STREAM_FAILURES },
    counts: AuditStreamFailed,
    series: ({ reason }) => ({ reason }),
  }),
  gauge({
    name: 'audit_chain_ok',
    help: '1 when the audit log was whole at its last verification by this replica, 0 when not; absent before.',
    from: [AuditVerification],
    read: ({ latest }) => (latest === null ? null : Number(latest)),
  }),
  counter({
    name: 'receipts_failures_total',
    help: 'Receipts that this replica could not sign or keep; what they are for was not answered.',
    counts: ReceiptsFailed,
    amount: ({ count }) => count,
  }),
  gauge({
    name: 'database_up',
    help: '1 when the database answered this scrape within a second and takes the heartbeats of this replica, else 0.',
    from: [Backlog, Heartbeat],
    read: async (backlog, heartbeat) =>
      Number((await backlog.read()) !== null && heartbeat.downBecause === null),
  }),
  gauge({
    name: 'database_pool_connections',
    help: 'Connections of this replica to the database.',
    labels: ['state'],
    from: [Database],
    read: ({ poolUse: { total: open, idle } }) => [
      [{ state: 'idle' }, idle],
      [{ state: 'busy' }, open - idle],
    ],
  }),
  gauge({
    name: 'database_pool_connections_max',
    help: 'Connections to the database that this replica may open.',
    from: [Database],
    read: ({ poolUse }) => poolUse.max,
  }),
  gauge({
    name: 'database_pool_waiting',
    help: 'Queries of this replica that wait for a connection.',
    from: [Database],
    read: ({ poolUse }) => poolUse.waiting,
  }),
  histogram({
    name: 'http_request_duration_seconds',
    help: 'From the arrival of a request to the end of its answer; held: a caller that asked to wait.',
    labels: { method: KNOWN_LATER, route: KNOWN_LATER, held: KNOWN_LATER },
    buckets: HTTP_BUCKETS_SECONDS,
    begins: { by: RouteAdded, series: ({ method, route, held }) => ({ method, route, held: String(held) }) },
    observes: RequestAnswered,
    series: ({ method, route, held }) => ({ method, route, held: String(held) }),
    value: ({ durationMs }) => durationMs / 1000,
  }),
  counter({
    name: 'http_requests_total',
    help: 'Requests answered, by the first digit of the status.',
    labels: { method: KNOWN_LATER, route: KNOWN_LATER, status: KNOWN_LATER },
    begins: { by: RouteAdded, series: ({ method, route }) => ({ method, route, status: '2xx' }) },
    counts: RequestAnswered,
    series: ({ method, route, statusCode }) => ({
      method,
      route,
      status: `${Math.floor(statusCode / 100)}xx`,
    }),
  }),
  total({
    name: 'http_connections_refused_total',
    help: 'Connections closed at once, because this replica had as many open as its file descriptors allow.',
    from: [ConnectionLimit],
    read: ({ refusedTotal }) => refusedTotal,
  }),
];
