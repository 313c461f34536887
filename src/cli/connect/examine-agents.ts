import { CountersignClient } from '../../agent-side/client';
import { ServiceRefused, ServiceUnreachable } from '../../agent-side/client/service-errors';
import { examine, type Gate } from '../../agent-side/connect/connection';
import type { Place } from '../../agent-side/connect/connected-agent';
import { installedAgents, type Installed } from '../../agent-side/connect/installed';
import type { OwnKey } from '../../agent-side/connect/own-keys';
import { describeError } from '../../kernel/describe-error';
import { Findings, show } from '../output';
import { requireAgent } from '../run/start';
import { clientFor, doorOf, type ServiceOptions } from '../service-options';
import { interruption, placeOf, scopeOf, type ScopeOptions } from './place';

interface Finding {
  readonly check: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly fix: string;
}

/**
 * `doctor --agents`: repeats the proof of each installed agent, and names what is not as `connect` writes it.
 *
 * @throws Findings if there is a finding
 */
export async function examineAgents(
  names: readonly string[],
  options: ServiceOptions & ScopeOptions,
): Promise<void> {
  const scope = scopeOf(options);
  const door = doorOf(options);
  const place = placeOf(door, scope);
  const client = new CountersignClient(door);
  const tell = (lines: readonly string[]): void => {
    if (options.json !== true) show({}, lines, options);
  };
  const findings: Finding[] = [];
  const gates: { agent: string; gate: Gate; version: string | null }[] = [];
  const note = (agent: string, line: string, found: readonly Finding[]): void => {
    findings.push(...found);
    tell([
      `${found.length === 0 ? '✓' : '✗'} ${agent.padEnd(14)} ${line}`,
      ...found.flatMap(({ message, fix }) => [`    ${message}`, `    → ${fix}`]),
    ]);
  };
  const half = interruption();
  if (half !== null)
    note('connect', 'interrupted', [
      {
        ...{ check: 'connect', severity: 'error', message: half },
        fix: 'countersign connect finishes it, countersign connect --undo restores the settings',
      },
    ]);
  const trouble = await troubleOfKey(client);
  note('key', trouble === null ? 'known to the service' : 'does not work', trouble === null ? [] : [trouble]);
  for (const installed of installedAgents(place, names)) {
    const { agent, version } = installed;
    const refused = await refusedKeys(installed, place);
    if (trouble !== null) {
      if (refused.length > 0) note(agent.name, 'not examined', refused);
      continue;
    }
    const fix = `countersign connect ${agent.name}${scope === 'user' ? '' : ` --${scope}`}`;
    try {
      const { gate, verdict, faults } = await examine(installed, place, client);
      gates.push({ agent: agent.name, gate, version });
      const found = faults.map((message): Finding => ({
        check: agent.name,
        severity: 'error',
        message,
        fix,
      }));
      note(agent.name, verdict.replace(/: .*/s, ''), [...refused, ...found]);
    } catch (error) {
      const message = describeError(error);
      const isKnown = refused.some((each) => each.message === message);
      const own: Finding = { check: agent.name, severity: 'error', message, fix };
      note(agent.name, 'not examined', isKnown ? refused : [...refused, own]);
    }
  }
  const ok = findings.length === 0;
  const verdict = ok
    ? 'Every gate is proven.'
    : `${findings.length} problem${findings.length === 1 ? '' : 's'} found.`;
  show({ ok, findings, agents: gates }, ['', verdict], options);
  if (!ok) throw new Findings(verdict);
}

/** The keys of the agent's own that the service refuses, each with its place; or the file of them that cannot be read. */
async function refusedKeys({ agent }: Installed, place: Place): Promise<Finding[]> {
  const findings: Finding[] = [];
  let keys: readonly OwnKey[];
  try {
    keys = agent.ownKeys?.(place) ?? [];
  } catch (error) {
    const fix = 'mend the file, and run doctor again';
    return [{ check: agent.name, severity: 'error', message: describeError(error), fix }];
  }
  for (const { where, key } of keys)
    try {
      await requireAgent(clientFor({ url: place.url, key }), 'countersign-doctor');
    } catch (error) {
      // The finding about the environment's key says that the service is away.
      if (error instanceof ServiceUnreachable) continue;
      findings.push({
        check: agent.name,
        severity: 'error',
        message: `its key does not work: ${where} (${describeError(error)})`,
        fix: 'put a key there that is not revoked, or take the line out so that COUNTERSIGN_KEY of the environment counts; countersign keys add --role agent makes one',
      });
    }
  return findings;
}

async function troubleOfKey(client: CountersignClient): Promise<Finding | null> {
  try {
    await requireAgent(client, 'countersign-doctor');
    return null;
  } catch (error) {
    const isAway = error instanceof ServiceUnreachable;
    const isOther = error instanceof ServiceRefused;
    return {
      check: 'key',
      severity: 'error',
      message: isAway ? `the service does not answer: ${describeError(error)}` : describeError(error),
      fix:
        isAway || isOther
          ? 'start the service, or give its address with --url or COUNTERSIGN_URL'
          : 'set COUNTERSIGN_KEY to a key that is not revoked; countersign keys add --role agent makes one',
    };
  }
}
