import { approvalSettingsOf } from './approvals';
import { auditStreamOf } from './audit-stream';
import { consoleSettingsOf } from './console';
import { ConfigurationError, crossFaults, unknownNames, withSecretFiles } from './faults';
import { listeningOf } from './listening';
import { operationOf } from './operation';
import { policySettingsOf } from './policy';
import { secretsIn } from './secrets';
import { environmentSchema, type Environment } from './settings';
import { storageOf } from './storage';
import { telegramSettingsOf } from './telegram';

function configurationOf(env: Environment, terminal: boolean) {
  const { log, ...operation } = operationOf(env, terminal);
  return {
    ...listeningOf(env),
    ...consoleSettingsOf(env),
    ...storageOf(env),
    ...telegramSettingsOf(env),
    ...approvalSettingsOf(env),
    ...policySettingsOf(env),
    ...auditStreamOf(env),
    ...operation,
    log: { ...log, secrets: secretsIn(env) },
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
