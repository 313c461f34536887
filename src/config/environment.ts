import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';

/** Prefixes of Countersign's variables: an unknown variable with one of them is a typing error. */
const OUR_PREFIXES = [
  'APPROVAL_',
  'TELEGRAM_',
  'CIRCUIT_BREAKER_',
  'DATABASE_',
  'ESCALATION_',
  'CONNECTOR_',
  'RATE_LIMIT_',
  'AUDIT_',
];

/**
 * May also be given as `NAME_FILE`, the path of a file that holds the value. A secret is not logged, and not passed to
 * programs that Countersign starts.
 */
const secret = <Schema extends z.ZodType>(schema: Schema) => schema.optional().meta({ secret: true });

const MIB = 1024 * 1024;

const integer = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .default(fallback);

const fraction = (fallback: number) =>
  z
    .string()
    .regex(/^(0?\.\d+|0|1|1\.0+|0\.\d+)$/, 'must be a fraction above 0 and at most 1, such as 0.5')
    .transform(Number)
    .pipe(z.number().gt(0, 'must be above 0').max(1, 'must be at most 1'))
    .default(fallback);

const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .default(fallback);

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((value) => value.replace(/\/+$/, ''));

const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must look like postgres://user:password@host:5432/database',
});

const apiKey = z
  .string()
  .min(32, 'must have at least 32 characters')
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

/** No default: an unset port is off. */
const optionalPort = z
  .string()
  .regex(/^\d+$/, 'must be a whole number from 0 to 65535')
  .transform(Number)
  .pipe(z.number().max(65_535, 'must be at most 65535'))
  .optional();

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

const publicHosts = z.string().transform((value, context): readonly string[] => {
  const names = value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  for (const name of names) {
    if (!HOST_NAME.test(name) && !isIPv6(name))
      context.addIssue(`"${name}" is not a host name; give names without scheme, port and path`);
  }
  return names;
});

const OPERATOR = /^(\d+)(?::([^,:]{1,64}))?$/;

/** "At most 52 significant bits", says the Bot API of the ids of users and chats. */
const MAX_TELEGRAM_ID = 2 ** 52 - 1;

/** Ids are compared as text, so they must be as Telegram writes them: without leading zeros. */
const TELEGRAM_ID = /^[1-9]\d*$/;

const isTelegramId = (digits: string): boolean =>
  TELEGRAM_ID.test(digits) && Number(digits) <= MAX_TELEGRAM_ID;

/** Shared sender ids of anonymous group admins and linked channels; they identify no person. */
const SHARED_IDS = new Set(['1087968824', '777000', '136817688']);

const operators = z.string().transform((value, context): readonly TelegramOperator[] => {
  const found = new Map<string, TelegramOperator>();
  for (const entry of value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')) {
    const [, id, name] = OPERATOR.exec(entry) ?? [];
    if (id === undefined) {
      context.addIssue(
        `"${entry}" is neither a numeric Telegram user id nor id:name (usernames do not count)`,
      );
    } else if (!isTelegramId(id)) {
      context.addIssue(
        `"${entry}": no Telegram user has the id ${id} (no leading zeros, at most ${MAX_TELEGRAM_ID})`,
      );
    } else if (SHARED_IDS.has(id)) {
      context.addIssue(`${id} is an id that Telegram shares among people; name persons`);
    } else if (found.has(id)) {
      context.addIssue(`operator ${id} is listed twice`);
    } else {
      found.set(id, { id, name: name?.trim() ?? id });
    }
  }
  return [...found.values()];
});

/** Ids of supergroups begin with -100 and have at least ten further digits; no other chat has topics. */
const FIRST_SUPERGROUP_ID = -1_000_000_000_000;
/** Topic ids are message ids, which have 32 bits. */
const MAX_TOPIC_ID = 2 ** 31 - 1;
/** A link shows the General topic as 1, and the Bot API addresses it as the chat itself. */
const GENERAL_TOPIC = 1;

const destination = z
  .string()
  .regex(
    /^-?\d+(\/\d+)?$/,
    'must be the numeric chat id (negative for groups), with /topic for a topic of a forum, such as -1001234567890/17',
  )
  .transform((value, context) => {
    const [chatId = '', topic] = value.split('/');
    if (!isTelegramId(chatId.replace('-', '')))
      context.addIssue(`is not a valid Telegram id (no leading zeros, at most ${MAX_TELEGRAM_ID})`);
    if (topic !== undefined) {
      if (!TELEGRAM_ID.test(topic) || Number(topic) > MAX_TOPIC_ID)
        context.addIssue(`"/${topic}" is not a topic id (1 to ${MAX_TOPIC_ID}, no leading zeros)`);
      if (Number(chatId) > FIRST_SUPERGROUP_ID)
        context.addIssue(
          `only supergroups have topics, and their ids begin with -100: leave out "/${topic}"`,
        );
    }
    return { chatId, threadId: topic === undefined || Number(topic) === GENERAL_TOPIC ? '0' : topic };
  });

const statusCodes = z
  .string()
  .regex(
    /^[45]\d\d(\s*,\s*[45]\d\d)*$/,
    'must be a comma list of HTTP statuses from 400 to 599, such as 429,503',
  )
  .transform((value) => value.split(',').map(Number))
  .default([429, 500, 502, 503, 504]);

/** A person who may decide in Telegram, known by the numeric user id. */
export interface TelegramOperator {
  readonly id: string;
  readonly name: string;
}

/** The environment table of the documentation, one entry for each variable. */
export const environmentSchema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(0, 65_535, 3000),
  HTTP_BODY_LIMIT_KIB: integer(64, 16_384, 4096),
  HTTP_MAX_WAITING_PER_KEY: integer(1, 1_000_000, 1000),
  PUBLIC_HOSTS: publicHosts.optional(),
  SHUTDOWN_NOTICE_SECONDS: integer(0, 300, 0),
  DATABASE_URL: secret(postgresUrl),
  DATABASE_MIGRATION_URL: secret(postgresUrl),
  DATABASE_POOL_SIZE: integer(1, 1000, 10),
  DATA_DIR: z.string().default('.data'),
  AGENT_API_KEY: secret(apiKey),
  OPERATOR_API_KEY: secret(apiKey),
  APPROVAL_SIGNING_KEY: secret(
    z
      .string()
      .startsWith('-----BEGIN PRIVATE KEY-----', 'must be an Ed25519 private key in PEM form (PKCS #8)'),
  ),
  TELEGRAM_BOT_TOKEN: secret(
    z
      .string()
      .regex(/^\d{1,20}:[A-Za-z0-9_-]{30,}$/, 'is not a bot token (digits, a colon, 30 or more characters)'),
  ),
  TELEGRAM_CHAT_ID: destination.optional(),
  TELEGRAM_OPERATORS: operators.optional(),
  TELEGRAM_API_ROOT: httpUrl.default('https://api.telegram.org'),
  TELEGRAM_MODE: z.enum(['polling', 'webhook'], 'must be polling or webhook').default('polling'),
  TELEGRAM_WEBHOOK_URL: httpUrl.optional(),
  TELEGRAM_WEBHOOK_SECRET: secret(
    z.string().regex(/^[A-Za-z0-9_-]{16,256}$/, 'must be 16 to 256 characters of A-Z a-z 0-9 _ -'),
  ),
  TELEGRAM_RETRY_MAX_ATTEMPTS: integer(0, 20, 3),
  TELEGRAM_RETRY_INITIAL_DELAY_MS: integer(1, 600_000, 1000),
  TELEGRAM_RETRY_MAX_DELAY_MS: integer(1, 600_000, 16_000),
  TELEGRAM_RETRY_JITTER: flag(true),
  TELEGRAM_RETRY_ON: statusCodes,
  TELEGRAM_BUDGET_PER_SECOND: integer(1, 10_000, 30),
  TELEGRAM_BUDGET_CHAT_PER_SECOND: integer(1, 10_000, 1),
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: integer(1, 100_000, 20),
  ESCALATION_LEASE_SECONDS: integer(1, 3600, 30),
  CIRCUIT_BREAKER_CONSECUTIVE_FAILURES: integer(1, 10_000, 5),
  CIRCUIT_BREAKER_FAILURE_RATE: fraction(0.5),
  CIRCUIT_BREAKER_MINIMUM_THROUGHPUT: integer(1, 100_000, 10),
  CIRCUIT_BREAKER_SAMPLING_SECONDS: integer(1, 3600, 30),
  CIRCUIT_BREAKER_BREAK_SECONDS: integer(1, 3600, 30),
  APPROVAL_DEFAULT_TIMEOUT_MINUTES: integer(1, 10_080, 30),
  APPROVAL_MAX_TIMEOUT_MINUTES: integer(1, 10_080, 120),
  APPROVAL_SWEEP_INTERVAL_SECONDS: integer(1, 3600, 5),
  APPROVAL_GRACE_PERIOD_SECONDS: integer(0, 3600, 0),
  APPROVAL_SWEEP_BATCH_SIZE: integer(1, 10_000, 500),
  APPROVAL_WARNING_MINUTES: integer(0, 10_080, 5),
  APPROVAL_MAX_PENDING_PER_AGENT: integer(1, 1_000_000, 1000),
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: integer(1, 1_000_000, 64),
  APPROVAL_RETENTION_DAYS: integer(1, 36_500, 90),
  RATE_LIMIT_AGENT_PER_MINUTE: integer(1, 10_000_000, 600),
  RATE_LIMIT_AGENT_MIB_PER_HOUR: integer(1, 10_000_000, 256),
  RATE_LIMIT_OPERATOR_PER_MINUTE: integer(1, 10_000_000, 60),
  CONNECTOR_HOOK_DEADLINE_SECONDS: integer(1, 86_400, 570),
  AUDIT_CHECKPOINT_FILE: z.string().optional(),
  METRICS_PUBLIC: flag(false),
  METRICS_PORT: optionalPort,
  METRICS_HOST: z.string().default('127.0.0.1'),
  SANDBOX_PORT: integer(0, 65_535, 8081),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace'],
      'must be fatal, error, warn, info, debug or trace',
    )
    .default('info'),
  LOG_FORMAT: z.enum(['json', 'pretty'], 'must be json or pretty').optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
});

type Environment = z.infer<typeof environmentSchema>;

const SECRETS: readonly string[] = Object.entries(environmentSchema.shape)
  .filter(([, schema]) => schema.meta()?.secret === true)
  .map(([name]) => name);

/** Reports all faults of the environment at once, one line each, each with the variable's name. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly faults: readonly string[]) {
    super(
      faults.length === 1
        ? `Configuration is wrong: ${faults.join('')}`
        : `Configuration is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
  }
}

/** True if the name or address reaches only this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Moves every `NAME_FILE` into its `NAME`. An empty value counts as unset, because compose files pass it so. */
function withSecretFiles(env: NodeJS.ProcessEnv, faults: string[]): Record<string, string> {
  const values = Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
    ),
  );
  for (const name of SECRETS) {
    const path = values[`${name}_FILE`];
    if (path === undefined) continue;
    if (values[name] !== undefined) faults.push(`${name}: set either ${name} or ${name}_FILE, not both`);
    try {
      values[name] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      faults.push(`${name}_FILE: cannot read the file (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    }
    if (values[name] === '') faults.push(`${name}_FILE: the file is empty`);
  }
  return values;
}

/** Names unknown variables, including empty ones: a name without effect is a typing error, whatever its value. */
function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = new Set([...Object.keys(environmentSchema.shape), ...SECRETS.map((name) => `${name}_FILE`)]);
  return Object.keys(env)
    .filter((name) => OUR_PREFIXES.some((prefix) => name.startsWith(prefix)) && !known.has(name))
    .map((name) => `${name}: unknown variable; see docs/configuration.md`);
}

/** Parses each variable on its own, so that one bad value does not hide faults between the others. */
function wellFormed(values: Record<string, string>): Partial<Environment> {
  return Object.fromEntries(
    Object.entries(environmentSchema.shape).flatMap(([name, schema]) => {
      const parsed = schema.safeParse(values[name]);
      return parsed.success ? [[name, parsed.data]] : [];
    }),
  );
}

/** True if both are known and the first is above the second. */
const exceeds = (a: number | undefined, b: number | undefined): boolean =>
  a !== undefined && b !== undefined && a > b;

/** A set value must not exceed its maximum; a default is reduced to it. */
const LIMITED = [
  ['TELEGRAM_RETRY_INITIAL_DELAY_MS', 'TELEGRAM_RETRY_MAX_DELAY_MS'],
  ['APPROVAL_DEFAULT_TIMEOUT_MINUTES', 'APPROVAL_MAX_TIMEOUT_MINUTES'],
] as const;

function crossFaults(values: Record<string, string>): string[] {
  const faults: string[] = [];
  const env = wellFormed(values);
  const isSet = (name: keyof Environment) => values[name] !== undefined;
  if (isSet('TELEGRAM_BOT_TOKEN') && !isSet('TELEGRAM_CHAT_ID')) {
    faults.push('TELEGRAM_CHAT_ID: required when TELEGRAM_BOT_TOKEN is set');
  }
  if (isSet('TELEGRAM_BOT_TOKEN') && (!isSet('TELEGRAM_OPERATORS') || env.TELEGRAM_OPERATORS?.length === 0)) {
    faults.push(
      'TELEGRAM_OPERATORS: required when TELEGRAM_BOT_TOKEN is set; with nobody listed nobody could decide',
    );
  }
  if (!isSet('TELEGRAM_BOT_TOKEN') && (isSet('TELEGRAM_CHAT_ID') || isSet('TELEGRAM_OPERATORS'))) {
    faults.push('TELEGRAM_BOT_TOKEN: required when TELEGRAM_CHAT_ID or TELEGRAM_OPERATORS is set');
  }
  if (env.TELEGRAM_MODE === 'webhook') {
    for (const name of ['TELEGRAM_WEBHOOK_URL', 'TELEGRAM_WEBHOOK_SECRET'] as const) {
      if (!isSet(name)) faults.push(`${name}: required when TELEGRAM_MODE is webhook`);
    }
  }
  for (const [name, maximum] of LIMITED) {
    if (isSet(name) && exceeds(env[name], env[maximum])) faults.push(`${name}: must not exceed ${maximum}`);
  }
  if (isSet('DATABASE_MIGRATION_URL') && !isSet('DATABASE_URL')) {
    faults.push('DATABASE_URL: required when DATABASE_MIGRATION_URL is set; both name the same database');
  }
  if (env.METRICS_PORT !== undefined && env.METRICS_PORT !== 0 && env.METRICS_PORT === env.PORT) {
    faults.push('METRICS_PORT: must differ from PORT; it is a listener of its own');
  }
  if (env.AGENT_API_KEY !== undefined && env.AGENT_API_KEY === env.OPERATOR_API_KEY) {
    faults.push('OPERATOR_API_KEY: must differ from AGENT_API_KEY, or an agent could approve itself');
  }
  return faults;
}

function telegramSettings(env: Environment) {
  if (env.TELEGRAM_BOT_TOKEN === undefined || env.TELEGRAM_CHAT_ID === undefined) return null;
  return {
    token: env.TELEGRAM_BOT_TOKEN,
    ...env.TELEGRAM_CHAT_ID,
    operators: env.TELEGRAM_OPERATORS ?? [],
    apiRoot: env.TELEGRAM_API_ROOT,
    webhook:
      env.TELEGRAM_MODE === 'webhook'
        ? { url: env.TELEGRAM_WEBHOOK_URL ?? '', secret: env.TELEGRAM_WEBHOOK_SECRET ?? '' }
        : null,
    retry: {
      maxAttempts: env.TELEGRAM_RETRY_MAX_ATTEMPTS,
      initialDelayMs: Math.min(env.TELEGRAM_RETRY_INITIAL_DELAY_MS, env.TELEGRAM_RETRY_MAX_DELAY_MS),
      maxDelayMs: env.TELEGRAM_RETRY_MAX_DELAY_MS,
      jitter: env.TELEGRAM_RETRY_JITTER,
      on: env.TELEGRAM_RETRY_ON,
    },
  };
}

/** The key with which our commands call a service; the service itself does not use it. */
const CALLER_KEY = 'COUNTERSIGN_KEY';

/** Texts of an environment that must not be logged: the secrets, and the parts of them that work alone. */
export function secretsIn(env: Readonly<Partial<Record<string, unknown>>>): string[] {
  return [...SECRETS, CALLER_KEY].flatMap((name) => {
    const value = env[name];
    if (typeof value !== 'string' || value === '') return [];
    if (name === 'TELEGRAM_BOT_TOKEN') return [value, value.slice(value.indexOf(':') + 1)];
    return name.startsWith('DATABASE_') ? [value, ...passwordsIn(value)] : [value];
  });
}

/** The passwords in the address of a database, as written and decoded. */
function passwordsIn(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { password, searchParams } = new URL(address);
  return [password, decodedOr(password), searchParams.get('password') ?? ''].filter((text) => text !== '');
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The environment for a program that is not ours: without our secrets, and without the paths of files that hold them.
 */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = new Set([...SECRETS, CALLER_KEY].flatMap((name) => [name, `${name}_FILE`]));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.has(name)));
}

function configurationOf(env: Environment, terminal: boolean) {
  return {
    http: {
      host: env.HOST,
      port: env.PORT,
      publicHosts: env.PUBLIC_HOSTS ?? null,
      loopback: isLoopback(env.HOST),
      bodyLimitBytes: env.HTTP_BODY_LIMIT_KIB * 1024,
      maxWaitingPerKey: env.HTTP_MAX_WAITING_PER_KEY,
    },
    shutdown: { noticeSeconds: env.SHUTDOWN_NOTICE_SECONDS },
    dataDir: env.DATA_DIR,
    database: {
      url: env.DATABASE_URL ?? null,
      migrationUrl: env.DATABASE_MIGRATION_URL ?? null,
      poolSize: env.DATABASE_POOL_SIZE,
    },
    keys: { agent: env.AGENT_API_KEY ?? null, operator: env.OPERATOR_API_KEY ?? null },
    signing: { key: env.APPROVAL_SIGNING_KEY ?? null },
    telegram: telegramSettings(env),
    breaker: {
      consecutiveFailures: env.CIRCUIT_BREAKER_CONSECUTIVE_FAILURES,
      failureRate: env.CIRCUIT_BREAKER_FAILURE_RATE,
      minimumThroughput: env.CIRCUIT_BREAKER_MINIMUM_THROUGHPUT,
      samplingSeconds: env.CIRCUIT_BREAKER_SAMPLING_SECONDS,
      breakSeconds: env.CIRCUIT_BREAKER_BREAK_SECONDS,
    },
    escalation: {
      leaseSeconds: env.ESCALATION_LEASE_SECONDS,
      budget: {
        perSecond: env.TELEGRAM_BUDGET_PER_SECOND,
        chatPerSecond: env.TELEGRAM_BUDGET_CHAT_PER_SECOND,
        groupPerMinute: env.TELEGRAM_BUDGET_GROUP_PER_MINUTE,
      },
    },
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
      retentionDays: env.APPROVAL_RETENTION_DAYS,
    },
    rateLimits: {
      agentPerMinute: env.RATE_LIMIT_AGENT_PER_MINUTE,
      agentBytesPerHour: env.RATE_LIMIT_AGENT_MIB_PER_HOUR * MIB,
      operatorPerMinute: env.RATE_LIMIT_OPERATOR_PER_MINUTE,
    },
    connector: { hookDeadlineSeconds: env.CONNECTOR_HOOK_DEADLINE_SECONDS },
    audit: { checkpointFile: env.AUDIT_CHECKPOINT_FILE ?? join(env.DATA_DIR, 'audit-checkpoints.jsonl') },
    metrics: {
      public: env.METRICS_PUBLIC,
      listener: env.METRICS_PORT === undefined ? null : { host: env.METRICS_HOST, port: env.METRICS_PORT },
    },
    sandbox: { port: env.SANDBOX_PORT },
    log: {
      level: env.LOG_LEVEL,
      format: env.LOG_FORMAT ?? (terminal ? ('pretty' as const) : ('json' as const)),
      secrets: secretsIn(env),
    },
    tracing: { endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT ?? null },
  };
}

type Configuration = ReturnType<typeof configurationOf>;

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The frozen configuration; times carry their unit in the name. Inject it with {@link CONFIG}. */
export type Config = DeepReadonly<Configuration>;

export const CONFIG = Symbol('configuration');

/**
 * Returns the Telegram settings, for modules that exist only where Telegram is on.
 *
 * @throws Error when it is off.
 */
export function telegramOf(config: Config): NonNullable<Config['telegram']> {
  if (config.telegram === null) throw new Error('Telegram is off');
  return config.telegram;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

/**
 * Reads the environment into the frozen configuration.
 *
 * @throws ConfigurationError naming every variable that is wrong or unknown.
 */
export function parseConfig(env: NodeJS.ProcessEnv, terminal = false): Config {
  const faults: string[] = [];
  const values = withSecretFiles(env, faults);
  const parsed = environmentSchema.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) faults.push(`${issue.path.join('.')}: ${issue.message}`);
  faults.push(...unknownNames(env));
  faults.push(...crossFaults(values));
  if (!parsed.success || faults.length > 0) throw new ConfigurationError(faults);
  return deepFreeze(configurationOf(parsed.data, terminal));
}
