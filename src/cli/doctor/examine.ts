import { type Config } from '../../config/environment';
import { ConfigurationError } from '../../config/faults';
import { describeError } from '../../kernel/describe-error';
import { agentToolsCheck } from './checks/agent-tools';
import { auditChainCheck } from './checks/audit-chain';
import { auditRightsCheck } from './checks/audit-rights';
import { auditStreamCheck } from './checks/audit-stream';
import { breakerCheck } from './checks/breaker';
import { clockCheck } from './checks/clock';
import { databaseCheck } from './checks/database';
import { keysCheck } from './checks/keys';
import { listeningCheck } from './checks/listening';
import { migrationsCheck } from './checks/migrations';
import { openidConnectCheck } from './checks/openid-connect';
import { policyCheck } from './checks/policy';
import { queueCheck } from './checks/queue';
import { rightsCheck } from './checks/rights';
import { serviceCheck } from './checks/service';
import { signingKeyCheck } from './checks/signing-key';
import { telegramChatCheck } from './checks/telegram-chat';
import { telegramOperatorsCheck } from './checks/telegram-operators';
import { telegramTokenCheck } from './checks/telegram-token';
import { telegramUpdatesCheck } from './checks/telegram-updates';
import { error, seen, skipped, type Check, type Finding, type Observation } from './check';
import { lookAround, type Surroundings } from './surroundings';

/** Ordered so that causes come before their consequences. */
const CHECKS: readonly Check[] = [
  databaseCheck,
  listeningCheck,
  migrationsCheck,
  rightsCheck,
  auditRightsCheck,
  keysCheck,
  signingKeyCheck,
  clockCheck,
  serviceCheck,
  telegramTokenCheck,
  telegramChatCheck,
  telegramOperatorsCheck,
  telegramUpdatesCheck,
  breakerCheck,
  policyCheck,
  openidConnectCheck,
  queueCheck,
  agentToolsCheck,
  auditStreamCheck,
  auditChainCheck,
];

/** SQLSTATEs: the table or the column does not exist. */
const OLDER_SCHEMA = new Set(['42P01', '42703']);

export interface Examined {
  readonly check: string;
  readonly state: Observation['state'];
  readonly note: string;
  readonly findings: readonly Finding[];
}

function named(check: string, { state, note, findings }: Observation): Examined {
  return { check, state, note, findings: findings.map((finding) => ({ check, ...finding })) };
}

async function examined(check: Check, surroundings: Surroundings): Promise<Examined> {
  const { name } = check;
  try {
    return named(name, await check.examine(surroundings));
  } catch (reason) {
    if (OLDER_SCHEMA.has(String((reason as { code?: unknown } | null)?.code))) {
      return named(name, skipped('needs the schema of this version'));
    }
    return named(
      name,
      seen(
        'unclear',
        error(`could not be looked at: ${describeError(reason)}`, 'fix the error above and run again'),
      ),
    );
  }
}

/**
 * Runs all checks of the installation, one after the other, and changes nothing.
 *
 * @param load reads the configuration
 * @param onExamined called after every check with its result
 */
export async function examineAll(
  load: () => Config,
  door: { readonly url?: string | undefined; readonly key?: string | undefined },
  onExamined: (examined: Examined) => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const note = (each: Examined): void => {
    findings.push(...each.findings);
    onExamined(each);
  };
  let config: Config;
  try {
    config = load();
  } catch (reason) {
    const faults = reason instanceof ConfigurationError ? reason.faults : [describeError(reason)];
    const fix = 'correct it where the service gets its environment; docs/configuration.md has every variable';
    note(named('configuration', seen('wrong', ...faults.map((fault) => error(fault, fix)))));
    return findings;
  }
  note(named('configuration', seen('valid')));
  const surroundings = await lookAround(config, door);
  try {
    for (const check of CHECKS) note(await examined(check, surroundings));
  } finally {
    await surroundings.close();
  }
  return findings;
}
