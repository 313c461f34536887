import { ADAPTERS } from '../../agents/adapters';
import { ANSWER_KINDS } from '../../agents/answers';
import { ConnectorAnswered } from '../../agents/connector-events';
import { HeldCalls } from '../../agents/held-calls';
import { ACKNOWLEDGEMENTS, type ApprovalStatus, type Verdict } from '../../approvals/approval';
import {
  ApprovalAcknowledged,
  ApprovalClaimed,
  ApprovalEnqueued,
  ApprovalSettled,
  ApprovalViewed,
  DecisionCounted,
  FatigueWarned,
  StepBegun,
  TurnDecided,
} from '../../approvals/approval-events';
import { SettlementFeed } from '../../approvals/settlement-feed';
import { TimeoutSweeper } from '../../approvals/timeout-sweeper';
import { AttemptRefused, REFUSAL_REASONS } from '../../audit/refusal-events';
import { CHANNELS, type Person } from '../../kernel/actor';
import { FATIGUE_CAUSES } from '../../kernel/announcement';
import { ApprovalsRemoved } from '../../retention/retention-events';
import { RetentionJob } from '../../retention/retention-job';
import { ofBacklog } from './backlog';
import { counter, gauge, histogram, KNOWN_LATER, type Metric } from './metric';

const DEPTH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
/** From an immediate tap to the longest default timeout, two hours. */
const DECISION_BUCKETS_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

const FINAL_STATUSES = [
  'approved',
  'rejected',
  'expired',
  'cancelled',
] as const satisfies readonly ApprovalStatus[];

const VERDICTS = ['approved', 'rejected'] as const satisfies readonly Verdict[];

const REFUSING_CHANNELS = ['telegram', 'api'] as const;

const CONNECTORS = ADAPTERS.map(({ connector }) => connector);

/** 1 if the approval ended so, else 0. */
const ended =
  (status: ApprovalStatus) =>
  ({ approval }: ApprovalSettled): number =>
    approval.status === status ? 1 : 0;

/** The person who decided; null if none did. */
function decider({ approval }: ApprovalSettled): Person | null {
  const by = 'decision' in approval ? approval.decision.by : null;
  return by?.kind === 'person' ? by : null;
}

/** Time from the creation of an approval to a person's decision; null if it ended without one. */
function decisionSeconds(settled: ApprovalSettled): number | null {
  if (!decider(settled)) return null;
  const { createdAt, settledAt } = settled.approval;
  return Math.max(0, (settledAt.getTime() - createdAt.getTime()) / 1000);
}

function decisionChannel(settled: ApprovalSettled) {
  const person = decider(settled);
  return person && { channel: person.channel };
}

/** People with a series of their own; the names of all others are one. */
const MOST_PEOPLE = 50;
const OTHERS = 'others';
const withSeries = new Set<string>();

/** Bounds the series: a policy names at most 1 000 people, and far fewer decide. */
function personLabel({ name }: Person): string {
  if (withSeries.size < MOST_PEOPLE) withSeries.add(name);
  return withSeries.has(name) ? name : OTHERS;
}

function decidedBy(settled: ApprovalSettled) {
  const person = decider(settled);
  return person && { person: personLabel(person) };
}

/** Steps of the longest chain, all but the last. */
const STEPS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

/** The step that nobody answered, when the time of the next one has come. */
function unansweredStep({ step, cause }: StepBegun) {
  const before = STEPS[step - 2];
  return cause === 'time' && before !== undefined ? { step: before } : null;
}

/** Approvals from the request to the answer. */
export const APPROVAL_METRICS: readonly Metric[] = [
  gauge({
    name: 'escalation_queue_size',
    help: 'Approvals that wait for a decision, from the database; absent while the database is away.',
    ...ofBacklog('pending'),
  }),
  counter({
    name: 'escalation_queue_enqueue_total',
    help: 'Approvals stored by this replica; idempotent replays are none.',
    counts: ApprovalEnqueued,
  }),
  counter({
    name: 'escalation_queue_dequeue_total',
    help: 'Approvals settled by this replica, any way.',
    counts: ApprovalSettled,
  }),
  histogram({
    name: 'escalation_queue_depth_histogram',
    help: 'Pending approvals at each enqueue, the new one included; other replicas count as of the last scrape.',
    buckets: DEPTH_BUCKETS,
    observes: ApprovalEnqueued,
    value: (_, pending) => pending,
  }),
  counter({
    name: 'escalation_approvals_accepted_total',
    help: 'Approvals that an operator approved.',
    counts: ApprovalSettled,
    amount: ended('approved'),
  }),
  counter({
    name: 'escalation_approvals_rejected_total',
    help: 'Approvals that an operator rejected.',
    counts: ApprovalSettled,
    amount: ended('rejected'),
  }),
  counter({
    name: 'escalation_approvals_timeout_total',
    help: 'Approvals that nobody decided in time.',
    counts: ApprovalSettled,
    amount: ended('expired'),
  }),
  histogram({
    name: 'escalation_response_time_seconds',
    help: 'From the creation of an approval to the decision of a person.',
    buckets: DECISION_BUCKETS_SECONDS,
    observes: ApprovalSettled,
    value: decisionSeconds,
  }),
  histogram({
    name: 'escalation_decision_seconds',
    help: 'From the creation of an approval to the decision of a person, by the way it came.',
    labels: { channel: CHANNELS },
    buckets: DECISION_BUCKETS_SECONDS,
    observes: ApprovalSettled,
    series: decisionChannel,
    value: decisionSeconds,
  }),
  counter({
    name: 'escalation_person_decisions_total',
    help: 'Decisions of people on this replica, also those that leave a request pending, by the person; beyond 50, others.',
    labels: { person: KNOWN_LATER },
    counts: ApprovalSettled,
    series: decidedBy,
    also: { counts: DecisionCounted, series: ({ by }) => ({ person: personLabel(by) }) },
  }),
  histogram({
    name: 'escalation_first_view_seconds',
    help: 'From the creation of an approval to its first view in the console on this replica; Telegram tells no views.',
    buckets: DECISION_BUCKETS_SECONDS,
    observes: ApprovalViewed,
    value: ({ seconds }) => seconds,
  }),
  counter({
    name: 'escalation_unanswered_steps_total',
    help: 'Steps of chains that nobody answered before the next one began, by the number of the step.',
    labels: { step: STEPS },
    counts: StepBegun,
    series: unansweredStep,
  }),
  counter({
    name: 'escalation_fatigue_warnings_total',
    help: 'Warnings to the leads about a person: many decisions an hour, or faster ones than anybody reads.',
    labels: { cause: FATIGUE_CAUSES },
    counts: FatigueWarned,
    series: ({ cause }) => ({ cause }),
  }),
  counter({
    name: 'escalation_turns_decided_total',
    help: 'Taps that decided the calls of a turn together, by the decision.',
    labels: { decision: VERDICTS },
    counts: TurnDecided,
    series: ({ verdict }) => ({ decision: verdict }),
  }),
  counter({
    name: 'escalation_turn_taps_saved_total',
    help: 'Taps that the decision of turns saved: their calls but one of each.',
    counts: TurnDecided,
    amount: ({ calls }) => calls - 1,
  }),
  counter({
    name: 'escalation_initializations_total',
    help: 'Escalations begun by this replica: one for each approval stored.',
    counts: ApprovalEnqueued,
  }),
  counter({
    name: 'escalation_completions_total',
    help: 'Escalations ended by this replica, by the status of the approval.',
    labels: { status: FINAL_STATUSES },
    counts: ApprovalSettled,
    series: ({ approval: { status } }) => ({ status }),
  }),
  counter({
    name: 'escalation_acknowledgements_total',
    help: 'Answers of which the agent, or its connection, told this replica what became of them.',
    labels: { outcome: ACKNOWLEDGEMENTS },
    counts: ApprovalAcknowledged,
    series: ({ outcome }) => ({ outcome }),
  }),
  gauge({
    name: 'escalation_oldest_pending_seconds',
    help: 'Age of the oldest approval that waits for a decision, from the database; 0 without any.',
    ...ofBacklog('oldestPendingSeconds'),
  }),
  gauge({
    name: 'escalation_unreachable',
    help: 'Approvals that wait for a decision although every step of their chain is refused, from the database.',
    ...ofBacklog('unreachable'),
  }),
  counter({
    name: 'escalation_claims_total',
    help: 'Requests that a person claimed or snoozed on this replica.',
    labels: { kind: ['claimed', 'snoozed'], channel: CHANNELS },
    counts: ApprovalClaimed,
    series: ({ kind, by }) => ({ kind, channel: by.channel }),
  }),
  gauge({
    name: 'escalation_waiters',
    help: 'Open calls that wait for a settlement on this replica.',
    from: [SettlementFeed],
    read: (feed) => feed.size,
  }),
  counter({
    name: 'access_refusals_total',
    help: 'Attempts that this replica refused, by reason and the way they came; the audit log has one row a minute of a flood.',
    labels: { reason: REFUSAL_REASONS, channel: REFUSING_CHANNELS },
    counts: AttemptRefused,
    series: ({ reason, channel }) => ({ reason, channel }),
  }),
  gauge({
    name: 'connector_waiting',
    help: 'Agents that wait at a connector of this replica, by connector.',
    labels: ['connector'],
    from: [HeldCalls],
    read: (calls) => CONNECTORS.map((connector) => [{ connector }, calls.waitingFor(connector)]),
  }),
  counter({
    name: 'connector_answers_total',
    help: 'Calls that ended at a connector of this replica, by what the agent was told; only approved lets a tool run.',
    labels: { connector: CONNECTORS, answer: ANSWER_KINDS },
    counts: ConnectorAnswered,
    series: ({ connector, kind: answer }) => ({ connector, answer }),
  }),
  gauge({
    name: 'approval_timeout_service_health',
    help: '1 while the sweep that ends overdue approvals goes through in time, else 0.',
    from: [TimeoutSweeper],
    read: (sweeper) => (sweeper.health().healthy ? 1 : 0),
  }),
  gauge({
    name: 'approval_sweep_lag_seconds',
    help: 'Since the last sweep of overdue approvals that went through on this replica.',
    from: [TimeoutSweeper],
    read: (sweeper) => sweeper.health().lagSeconds,
  }),
  gauge({
    name: 'approval_sweep_duration_seconds',
    help: 'Duration of that sweep; 0 before the first.',
    from: [TimeoutSweeper],
    read: (sweeper) => sweeper.health().durationSeconds,
  }),
  counter({
    name: 'approval_retention_removed_total',
    help: 'Approvals that this replica removed because APPROVAL_RETENTION_DAYS had passed since they settled.',
    counts: ApprovalsRemoved,
    amount: ({ count }) => count,
  }),
  gauge({
    name: 'approval_retention_lag_seconds',
    help: 'Since this replica last removed all that is kept no longer, or left that to another; looked at every 600 s.',
    from: [RetentionJob],
    read: (job) => job.lagSeconds,
  }),
];
