import { DOUBT_REASONS, POLICY_DECISIONS } from '../../kernel/policy-verdict';
import { ActivePolicy } from '../../policy/active-policy';
import { POLICY_SOURCES, PolicyJudged } from '../../policy/policy-events';
import { ApprovalSettled } from '../../approvals/approval-events';
import { OpenGrants } from '../../policy/grants/open-grants';
import { counter, gauge, histogram, type Metric } from './metric';

/** 1 000 rules take less than a millisecond. */
const EVALUATION_BUCKETS_SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05];

/** The verdicts of the policy. */
export const POLICY_METRICS: readonly Metric[] = [
  counter({
    name: 'policy_decisions_total',
    help: 'Requests that the policy judged on this replica, by the verdict and what gave it.',
    labels: { decision: POLICY_DECISIONS, source: POLICY_SOURCES },
    counts: PolicyJudged,
    series: ({ decision, source }) => ({ decision, source }),
  }),
  counter({
    name: 'policy_doubts_total',
    help: 'Requests that ask a person although a rule might have answered, by the reason of the doubt.',
    labels: { reason: DOUBT_REASONS },
    counts: PolicyJudged,
    series: ({ doubt }) => (doubt === null ? null : { reason: doubt }),
  }),
  histogram({
    name: 'policy_evaluation_seconds',
    help: 'Duration of one evaluation, the parse of a command included.',
    buckets: EVALUATION_BUCKETS_SECONDS,
    observes: PolicyJudged,
    value: ({ seconds }) => seconds,
  }),
  gauge({
    name: 'policy_active_version_info',
    help: '1 for the policy version that this replica enforces; absent without a policy.',
    labels: ['version'],
    from: [ActivePolicy],
    read: ({ version }) => (version === null ? [] : [[{ version }, 1]]),
  }),
  gauge({
    name: 'policy_stopped',
    help: '1 while a person has suspended the rules that allow, else 0.',
    from: [ActivePolicy],
    read: ({ stopped }) => (stopped === null ? 0 : 1),
  }),
  gauge({
    name: 'grants_active',
    help: 'Grants that may still be used.',
    from: [OpenGrants],
    read: ({ count }) => count,
  }),
  gauge({
    name: 'grants_alarming',
    help: 'Open grants that were used faster than APPROVAL_GRANT_USES_PER_MINUTE within the last hour.',
    from: [OpenGrants],
    read: ({ alarming }) => alarming,
  }),
  counter({
    name: 'grants_uses_total',
    help: 'Requests that a grant answered on this replica.',
    counts: ApprovalSettled,
    series: ({ approval }) => ('decision' in approval && approval.decision.by.kind === 'grant' ? {} : null),
  }),
];
