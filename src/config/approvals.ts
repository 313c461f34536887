import { integer, MIB, section, type ValuesOf } from './setting';

export const APPROVALS = section('Approvals', {
  APPROVAL_DEFAULT_TIMEOUT_MINUTES: integer(
    'For requests without `timeoutSeconds`. Unset, no longer than the maximum',
    1,
    10_080,
    30,
  ),
  APPROVAL_MAX_TIMEOUT_MINUTES: integer('The most a request may ask for', 1, 10_080, 120),
  APPROVAL_SWEEP_INTERVAL_SECONDS: integer('Interval at which overdue requests are ended', 1, 3600, 5),
  APPROVAL_GRACE_PERIOD_SECONDS: integer(
    'Status turns `expired` this long after `expiresAt`; decisions are refused from `expiresAt` on',
    0,
    3600,
    0,
  ),
  APPROVAL_SWEEP_BATCH_SIZE: integer('Requests ended in one statement', 1, 10_000, 500),
  APPROVAL_WARNING_MINUTES: integer(
    'Reminder before the timeout; 0 is off. Requests shorter than twice this get none',
    0,
    10_080,
    5,
  ),
  APPROVAL_MAX_PENDING_PER_AGENT: integer('Pending requests of one key; more get 429', 1, 1_000_000, 1000),
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: integer(
    'The same in MiB: what they hold together; more gets 429',
    1,
    1_000_000,
    64,
  ),
  APPROVAL_GRANT_USES_PER_MINUTE: integer(
    'More uses of one grant in a minute alarm the operators; 0 is off',
    0,
    1_000_000,
    30,
  ),
  APPROVAL_RETENTION_DAYS: integer('Settled requests are removed after this', 1, 36_500, 90),
});

export const LIMITS = section('Limits', {
  RATE_LIMIT_AGENT_PER_MINUTE: integer('Requests of one agent key', 1, 10_000_000, 600),
  RATE_LIMIT_AGENT_MIB_PER_HOUR: integer(
    'MiB of requests that one agent key has stored within an hour; repetitions do not count',
    1,
    10_000_000,
    256,
  ),
  RATE_LIMIT_OPERATOR_PER_MINUTE: integer('Decisions of one operator', 1, 10_000_000, 60),
});

export const CONNECTORS = section('Connectors', {
  CONNECTOR_HOOK_DEADLINE_SECONDS: integer(
    'A waiting call of the hook is answered by then, unless it sends `Countersign-Wait-Seconds`',
    1,
    86_400,
    570,
  ),
});

export const approvalSettingsOf = (
  env: ValuesOf<typeof APPROVALS> & ValuesOf<typeof LIMITS> & ValuesOf<typeof CONNECTORS>,
) => ({
  approvals: {
    defaultTimeoutSeconds:
      Math.min(env.APPROVAL_DEFAULT_TIMEOUT_MINUTES, env.APPROVAL_MAX_TIMEOUT_MINUTES) * 60,
    maxTimeoutSeconds: env.APPROVAL_MAX_TIMEOUT_MINUTES * 60,
    sweepIntervalSeconds: env.APPROVAL_SWEEP_INTERVAL_SECONDS,
    gracePeriodSeconds: env.APPROVAL_GRACE_PERIOD_SECONDS,
    sweepBatchSize: env.APPROVAL_SWEEP_BATCH_SIZE,
    warningSeconds: env.APPROVAL_WARNING_MINUTES * 60,
    maxPendingPerAgent: env.APPROVAL_MAX_PENDING_PER_AGENT,
    maxPendingBytesPerAgent: env.APPROVAL_MAX_PENDING_MIB_PER_AGENT * MIB,
    grantUsesPerMinute: env.APPROVAL_GRANT_USES_PER_MINUTE,
    retentionDays: env.APPROVAL_RETENTION_DAYS,
  },
  rateLimits: {
    agentPerMinute: env.RATE_LIMIT_AGENT_PER_MINUTE,
    agentBytesPerHour: env.RATE_LIMIT_AGENT_MIB_PER_HOUR * MIB,
    operatorPerMinute: env.RATE_LIMIT_OPERATOR_PER_MINUTE,
  },
  connector: { hookDeadlineSeconds: env.CONNECTOR_HOOK_DEADLINE_SECONDS },
});
