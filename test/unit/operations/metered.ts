import { CqrsModule, EventBus, type IEvent } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { Registry, type Counter } from 'prom-client';
import type { SettledApproval } from '../../../src/approvals/approval';
import { ApprovalEnqueued, ApprovalSettled } from '../../../src/approvals/approval-events';
import { SettlementFeed } from '../../../src/approvals/settlement-feed';
import { TimeoutSweeper } from '../../../src/approvals/timeout-sweeper';
import { CONFIG, parseConfig } from '../../../src/config/environment';
import { HeldCalls } from '../../../src/agents/held-calls';
import { AuditVerification } from '../../../src/audit/audit-verification';
import { Database } from '../../../src/database/database';
import { createLog, Log } from '../../../src/logging/log';
import { Heartbeat } from '../../../src/database/heartbeat';
import { ConnectionLimit } from '../../../src/http/connection-limit';
import { Backlog } from '../../../src/operations/metrics/backlog';
import { BacklogStore, type BacklogCounts } from '../../../src/operations/metrics/backlog-store';
import { BREAKER, BreakerWatch } from '../../../src/operations/metrics/breaker';
import { metricProviders } from '../../../src/operations/metrics/metrics';
import { PendingEstimate } from '../../../src/operations/metrics/pending-estimate';
import { ADAPTERS } from '../../../src/agents/adapters';
import { Clock } from '../../../src/kernel/clock';
import { CircuitBreakerService } from '../../../src/resilience/circuit-breaker';
import { ActivePolicy } from '../../../src/policy/active-policy';
import { OpenGrants } from '../../../src/policy/grants/open-grants';
import { RetentionJob } from '../../../src/retention/retention-job';
import { TelegramStatus } from '../../../src/channels/telegram/telegram-status';
import { FakeClock } from '../../support/fake-clock';
import { Scrape } from '../../support/scrape';

export const NOTHING_WAITS: BacklogCounts = {
  pending: 0,
  unreachable: 0,
  oldestPendingSeconds: 0,
  outboxDue: 0,
  outboxScheduled: 0,
  outboxDead: 0,
  outboxOldestSeconds: 0,
  auditUnsealed: 0,
  auditSealLagSeconds: 0,
  auditStreamLagRows: 0,
  auditStreamLagSeconds: 0,
};

const asked = {
  id: '0190a000-0000-7000-8000-000000000000',
  keyId: 'agent',
  owner: null,
  agentId: 'claude-code',
  sessionId: 'session',
  toolName: 'Bash',
  toolInput: {},
  toolUseId: null,
  summary: null,
  cwd: null,
  metadata: {},
  connector: null,
  policy: null,
  required: null,
  decisions: [],
  inputDigest: 'sha256:0',
  correlationId: 'correlation',
  traceparent: null,
  createdAt: new Date('2026-01-01T00:00:00.000Z'),
  expiresAt: new Date('2026-01-01T00:30:00.000Z'),
};

export const enqueued = (agentId = asked.agentId) => new ApprovalEnqueued({ ...asked, agentId });

/** Settled this many seconds after it was asked. */
export function settled(
  status: SettledApproval['status'],
  { afterSeconds = 10, kind = 'telegram' }: { afterSeconds?: number; kind?: 'telegram' | 'api' } = {},
): ApprovalSettled {
  const settledAt = new Date(asked.createdAt.getTime() + afterSeconds * 1000);
  const by = { kind: 'person' as const, channel: kind, id: '1', name: 'Olivia' };
  const acknowledged = null;
  const approval: SettledApproval =
    status === 'approved' || status === 'rejected'
      ? { ...asked, status, settledAt, receipt: null, decision: { by, reason: null }, acknowledged }
      : { ...asked, status, settledAt, receipt: null, by, reason: null, acknowledged };
  return new ApprovalSettled(approval);
}

/** The metrics of one replica, with what they read held by the test. */
export async function startMetered() {
  const clock = new FakeClock();
  const registry = new Registry();
  const lines: string[] = [];
  const breaker = new CircuitBreakerService(parseConfig({}).breaker, () => true, clock);
  const world = {
    backlog: NOTHING_WAITS,
    sweeper: { healthy: true, lagSeconds: 0, durationSeconds: 0 },
    retention: { lagSeconds: 0 },
    waiters: 0,
    held: Object.fromEntries(ADAPTERS.map(({ connector }) => [connector, 0])) as Record<string, number>,
    config: { auditStream: null } as { auditStream: object | null },
    auditOk: null as boolean | null,
    pool: { max: 10, total: 0, idle: 0, waiting: 0 },
  };
  const testing = await Test.createTestingModule({
    imports: [CqrsModule.forRoot()],
    providers: [
      ...metricProviders(registry),
      { provide: BacklogStore, useValue: { count: () => Promise.resolve(world.backlog) } },
      { provide: ConnectionLimit, useValue: { refusedTotal: 0 } },
      { provide: Heartbeat, useValue: { downBecause: null } },
      { provide: RetentionJob, useValue: world.retention },
      { provide: TimeoutSweeper, useValue: { health: () => world.sweeper } },
      {
        provide: SettlementFeed,
        useValue: {
          get size() {
            return world.waiters;
          },
        },
      },
      { provide: ActivePolicy, useValue: { version: null, stopped: null } },
      { provide: OpenGrants, useValue: { count: 0, alarming: 0 } },
      { provide: HeldCalls, useValue: { waitingFor: (connector: string) => world.held[connector] } },
      {
        provide: Database,
        useValue: {
          get poolUse() {
            return world.pool;
          },
        },
      },
      TelegramStatus,
      { provide: CONFIG, useValue: world.config },
      { provide: Clock, useValue: clock },
      {
        provide: Log,
        useValue: createLog({ level: 'info', format: 'json' }, { write: (line) => void lines.push(line) }),
      },
      {
        provide: AuditVerification,
        useValue: {
          get latest() {
            return world.auditOk;
          },
        },
      },
      { provide: BREAKER, useValue: breaker },
      Backlog,
      PendingEstimate,
      BreakerWatch,
    ],
  }).compile();
  await testing.init();
  const events = testing.get(EventBus);
  return {
    world,
    clock,
    telegram: testing.get(TelegramStatus),
    breaker,
    log: lines,
    happened: (...each: readonly IEvent[]) => void events.publishAll([...each]),
    scrape: async () => new Scrape(await registry.metrics()),
    counter: (name: string) => registry.getSingleMetric(name) as Counter,
    close: () => testing.close(),
  };
}

export type Metered = Awaited<ReturnType<typeof startMetered>>;

/** Metrics for every test of the file. */
export function eachTestItsMetrics(): () => Metered {
  let metered: Metered | undefined;
  beforeEach(async () => {
    metered = await startMetered();
  });
  afterEach(() => metered?.close());
  return () => {
    if (!metered) throw new Error('only inside a test');
    return metered;
  };
}
