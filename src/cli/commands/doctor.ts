import { Command, Option } from 'commander';
import type { Examined } from '../doctor/examine';
import { Findings, show } from '../output';
import { serviceHere } from '../service-options';

interface DoctorOptions {
  readonly url?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly agents?: boolean;
  readonly project?: boolean;
  readonly managed?: boolean;
}

const MARKS = { error: '✗', warning: '!' } as const;

/** One line for the check, and two for each finding. */
function linesOf({ check, state, note, findings }: Examined): string[] {
  const worst = findings.find(({ severity }) => severity === 'error') ?? findings[0];
  const mark = state === 'skipped' ? '-' : worst ? MARKS[worst.severity] : '✓';
  return [
    `${mark} ${check.padEnd(19)} ${note}`,
    ...findings.flatMap(({ message, fix }) =>
      [...message.split('\n'), `→ ${fix}`].map((line) => `    ${line}`),
    ),
  ];
}

async function examine(options: DoctorOptions): Promise<void> {
  if (options.agents === true) {
    const { examineAgents } = await import('../connect/examine-agents.js');
    return examineAgents([], { ...options, url: options.url ?? serviceHere(process.env) });
  }
  if (options.project === true || options.managed === true)
    throw new Error('--project and --managed go with --agents');
  // Loaded lazily: these import Nest and the database code, which would slow down every other command.
  const [{ loadConfig }, { examineAll }] = await Promise.all([
    import('../../config/config.module.js'),
    import('../doctor/examine.js'),
  ]);
  const findings = await examineAll(loadConfig, options, (each) => {
    if (options.json !== true) show(each, linesOf(each), options);
  });
  const ok = findings.length === 0;
  const verdict = ok
    ? 'No problems found.'
    : `${findings.length} problem${findings.length === 1 ? '' : 's'} found.`;
  show({ ok, findings }, ['', verdict], options);
  if (!ok) throw new Findings(verdict);
}

/** `countersign doctor`: uses the service's environment; the service need not run. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check the whole installation and name each problem with its fix; changes nothing')
    .addOption(
      new Option('--url <url>', 'where the service is; else HOST and PORT say').env('COUNTERSIGN_URL'),
    )
    .addOption(
      new Option('--key <key>', 'operator’s or observer’s key; else that of the environment').env(
        'COUNTERSIGN_KEY',
      ),
    )
    .option('--agents', 'prove the gate of each agent on this machine instead; needs an agent’s key')
    .option('--project', 'with --agents: the settings of the project in this directory')
    .option('--managed', 'with --agents: the settings that an administrator prescribes')
    .option('--json', 'print the result as JSON')
    .action(examine);
}
