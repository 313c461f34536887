import { readFileSync } from 'node:fs';
import { isLoopback } from './listening';
import { environmentSchema, SECRETS, type Environment } from './settings';

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
  'POLICY_',
  'DIGEST_',
  'CONSOLE_',
  'OIDC_',
];

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

/** Moves every `NAME_FILE` into its `NAME`. An empty value counts as unset, because compose files pass it so. */
export function withSecretFiles(env: NodeJS.ProcessEnv, faults: string[]): Record<string, string> {
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
export function unknownNames(env: NodeJS.ProcessEnv): string[] {
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

/** Faults of settings that do not go together. */
export function crossFaults(values: Record<string, string>): string[] {
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
  for (const name of ['DATABASE_MIGRATION_URL', 'DATABASE_LISTEN_URL'] as const) {
    if (isSet(name) && !isSet('DATABASE_URL'))
      faults.push(`DATABASE_URL: required when ${name} is set; both name the same database`);
  }
  if (env.CONSOLE_ENABLED === true && !isSet('CONSOLE_URL') && !isLoopback(env.HOST ?? ''))
    faults.push('CONSOLE_URL: required when CONSOLE_ENABLED is true and HOST is not a loopback address');
  const oidc = ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'] as const;
  if (oidc.some(isSet)) {
    const missing = oidc.filter((name) => !isSet(name));
    for (const name of missing)
      faults.push(`${name}: required, because the sign-in at an OpenID provider needs ${oidc.join(', ')}`);
    if (env.CONSOLE_ENABLED === false || (!isSet('CONSOLE_URL') && !isLoopback(env.HOST ?? '')))
      faults.push(
        'OIDC_ISSUER: needs the console; set CONSOLE_URL, and leave CONSOLE_ENABLED unset, or remove it',
      );
  }
  if (env.METRICS_PORT !== undefined && env.METRICS_PORT !== 0 && env.METRICS_PORT === env.PORT) {
    faults.push('METRICS_PORT: must differ from PORT; it is a listener of its own');
  }
  if (isSet('AUDIT_STREAM_HEADERS') && env.AUDIT_STREAM?.kind !== 'endpoint') {
    faults.push('AUDIT_STREAM_HEADERS: only beside an https URL in AUDIT_STREAM');
  }
  if (env.AGENT_API_KEY !== undefined && env.AGENT_API_KEY === env.OPERATOR_API_KEY) {
    faults.push('OPERATOR_API_KEY: must differ from AGENT_API_KEY, or an agent could approve itself');
  }
  return faults;
}
