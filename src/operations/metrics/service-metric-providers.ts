import type { Provider } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Registry } from 'prom-client';
import { SettlementFeed } from '../../approvals/settlement-feed';
import { TimeoutSweeper } from '../../approvals/timeout-sweeper';
import { CONNECTORS } from '../../agents/connector-events';
import { HeldCalls } from '../../agents/held-calls';
import { AuditVerification } from '../../audit/audit-verification';
import { Database } from '../../database/database';
import { Heartbeat } from '../../database/heartbeat';
import { ConnectionLimit } from '../../http/connection-limit';
import { RetentionJob } from '../../retention/retention-job';
import { TelegramStatus } from '../../channels/telegram/telegram-status';
import { Backlog } from './backlog';
import { BREAKER, type Breaker } from './breaker';
import { BUILD } from '../../kernel/build';
import { DECISION_BUCKETS_SECONDS } from './escalation-metric-providers';
import { BREAKER_STATES } from './labels';

/** A card is in the chat within a second, unless Telegram limits the rate. */
const DELIVERY_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800];
const HTTP_BUCKETS_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];

/** Metrics besides the sixteen: delivery of cards, and the resources of this replica. */
export function serviceMetricProviders(registry: Registry): Provider[] {
  const registers = [registry];
  return [
    makeGaugeProvider({
      name: 'countersign_build_info',
      help: 'Always 1; the labels tell what runs here.',
      labelNames: Object.keys(BUILD),
      registers,
      collect() {
        this.set(BUILD, 1);
      },
    }),
    makeGaugeProvider({
      name: 'telegram_enabled',
      help: '1 when a bot is configured, else 0.',
      registers,
      inject: [TelegramStatus],
      collect({ health }: TelegramStatus) {
        this.set(health.enabled ? 1 : 0);
      },
    }),
    makeHistogramProvider({
      name: 'escalation_delivery_seconds',
      help: 'From the creation of an approval to its card in the chat.',
      buckets: DELIVERY_BUCKETS_SECONDS,
      registers,
    }),
    makeHistogramProvider({
      name: 'escalation_decision_seconds',
      help: 'From the creation of an approval to the decision of a person, by the way it came.',
      labelNames: ['channel'],
      buckets: DECISION_BUCKETS_SECONDS,
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_acknowledgements_total',
      help: 'Answers of which the agent, or its connection, told this replica what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    makeGaugeProvider({
      name: 'escalation_oldest_pending_seconds',
      help: 'Age of the oldest approval that waits for a decision, from the database; 0 without any.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ oldestPendingSeconds }) => oldestPendingSeconds);
      },
    }),
    makeGaugeProvider({
      name: 'escalation_outbox_depth',
      help: 'Telegram work that is due, work that waits for a retry included, from the database.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ outboxDue }) => outboxDue);
      },
    }),
    makeGaugeProvider({
      name: 'escalation_outbox_scheduled',
      help: 'Telegram work whose time has not come, from the database.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ outboxScheduled }) => outboxScheduled);
      },
    }),
    makeGaugeProvider({
      name: 'escalation_outbox_dead',
      help: 'Telegram work that was given up and waits for a person, from the database.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ outboxDead }) => outboxDead);
      },
    }),
    makeGaugeProvider({
      name: 'escalation_outbox_oldest_seconds',
      help: 'Age of the oldest due Telegram work, warnings aside, from the database; 0 without any.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ outboxOldestSeconds }) => outboxOldestSeconds);
      },
    }),
    makeGaugeProvider({
      name: 'audit_unsealed_rows',
      help: 'Rows of the audit log without a seal, from the database; a second after the last write there are none.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ auditUnsealed }) => auditUnsealed);
      },
    }),
    makeGaugeProvider({
      name: 'audit_seal_lag_seconds',
      help: 'Age of the oldest row of the audit log without a seal, from the database; 0 without any.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ auditSealLagSeconds }) => auditSealLagSeconds);
      },
    }),
    makeGaugeProvider({
      name: 'audit_chain_ok',
      help: '1 when the audit log was whole at its last verification by this replica, 0 when not; absent before.',
      registers,
      inject: [AuditVerification],
      collect({ latest }: AuditVerification) {
        if (latest === null) this.remove();
        else this.set(latest ? 1 : 0);
      },
    }),
    makeGaugeProvider({
      name: 'escalation_waiters',
      help: 'Open calls that wait for a settlement on this replica.',
      registers,
      inject: [SettlementFeed],
      collect(feed: SettlementFeed) {
        this.set(feed.size);
      },
    }),
    makeCounterProvider({
      name: 'telegram_updates_skipped_total',
      help: 'Updates of the Bot API that could not be read and were skipped.',
      registers,
    }),
    makeCounterProvider({
      name: 'receipts_failures_total',
      help: 'Receipts that this replica could not sign or keep; what they are for was not answered.',
      registers,
    }),
    makeCounterProvider({
      name: 'access_refusals_total',
      help: 'Attempts that this replica refused, by reason and the way they came; the audit log has one row a minute of a flood.',
      labelNames: ['reason', 'channel'],
      registers,
    }),
    makeGaugeProvider({
      name: 'connector_waiting',
      help: 'Agents that wait at a connector of this replica, by connector.',
      labelNames: ['connector'],
      registers,
      inject: [HeldCalls],
      collect(calls: HeldCalls) {
        for (const connector of CONNECTORS) this.set({ connector }, calls.waitingFor(connector));
      },
    }),
    makeCounterProvider({
      name: 'connector_answers_total',
      help: 'Calls that ended at a connector of this replica, by what the agent was told; only approved lets a tool run.',
      labelNames: ['connector', 'answer'],
      registers,
    }),
    makeGaugeProvider({
      name: 'approval_sweep_lag_seconds',
      help: 'Since the last sweep of overdue approvals that went through on this replica.',
      registers,
      inject: [TimeoutSweeper],
      collect(sweeper: TimeoutSweeper) {
        this.set(sweeper.health().lagSeconds);
      },
    }),
    makeGaugeProvider({
      name: 'approval_sweep_duration_seconds',
      help: 'Duration of that sweep; 0 before the first.',
      registers,
      inject: [TimeoutSweeper],
      collect(sweeper: TimeoutSweeper) {
        this.set(sweeper.health().durationSeconds);
      },
    }),
    makeCounterProvider({
      name: 'approval_retention_removed_total',
      help: 'Approvals that this replica removed because APPROVAL_RETENTION_DAYS had passed since they settled.',
      registers,
    }),
    makeGaugeProvider({
      name: 'approval_retention_lag_seconds',
      help: 'Since this replica last removed all that is kept no longer, or left that to another; looked at every 600 s.',
      registers,
      inject: [RetentionJob],
      collect(job: RetentionJob) {
        this.set(job.lagSeconds);
      },
    }),
    makeGaugeProvider({
      name: 'circuit_breaker_state',
      help: '1 at the state of the breaker before Telegram on this replica, 0 at the others.',
      labelNames: ['state'],
      registers,
      inject: [BREAKER],
      collect(breaker: Breaker) {
        for (const state of BREAKER_STATES) this.set({ state }, breaker.state === state ? 1 : 0);
      },
    }),
    makeCounterProvider({
      name: 'circuit_breaker_transitions_total',
      help: 'Changes of the state of the breaker on this replica, by the state it came to.',
      labelNames: ['to'],
      registers,
    }),
    makeGaugeProvider({
      name: 'database_up',
      help: '1 when the database answered this scrape within a second and takes the heartbeats of this replica, else 0.',
      registers,
      inject: [Backlog, Heartbeat],
      async collect(backlog: Backlog, heartbeat: Heartbeat) {
        const answers = (await backlog.read()) !== null;
        this.set(answers && heartbeat.downBecause === null ? 1 : 0);
      },
    }),
    makeGaugeProvider({
      name: 'database_pool_connections',
      help: 'Connections of this replica to the database.',
      labelNames: ['state'],
      registers,
      inject: [Database],
      collect({ poolUse: { total, idle } }: Database) {
        this.set({ state: 'idle' }, idle);
        this.set({ state: 'busy' }, total - idle);
      },
    }),
    makeGaugeProvider({
      name: 'database_pool_connections_max',
      help: 'Connections to the database that this replica may open.',
      registers,
      inject: [Database],
      collect({ poolUse }: Database) {
        this.set(poolUse.max);
      },
    }),
    makeGaugeProvider({
      name: 'database_pool_waiting',
      help: 'Queries of this replica that wait for a connection.',
      registers,
      inject: [Database],
      collect({ poolUse }: Database) {
        this.set(poolUse.waiting);
      },
    }),
    makeHistogramProvider({
      name: 'http_request_duration_seconds',
      help: 'From the arrival of a request to the end of its answer; held: a caller that asked to wait.',
      labelNames: ['method', 'route', 'held'],
      buckets: HTTP_BUCKETS_SECONDS,
      registers,
    }),
    makeCounterProvider({
      name: 'http_requests_total',
      help: 'Requests answered, by the first digit of the status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    makeCounterProvider({
      name: 'http_connections_refused_total',
      help: 'Connections closed at once, because this replica had as many open as its file descriptors allow.',
      registers,
      inject: [ConnectionLimit],
      collect({ refusedTotal }: ConnectionLimit) {
        this.reset();
        this.inc(refusedTotal);
      },
    }),
  ];
}
