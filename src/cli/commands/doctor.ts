import { Command, Option } from 'commander';
import type { Examined } from '../doctor/examine';
import { Findings, show } from '../output';

interface DoctorOptions {
  readonly url?: string;
  readonly key?: string;
  readonly json?: boolean;
}

const MARKS = { error: '✗', warning: '!' } as const;

/** One line for the check, and two for each thing that it found. */
function linesOf({ check, state, note, findings }: Examined): string[] {
  const worst = findings.find(({ severity }) => severity === 'error') ?? findings[0];
  const mark = state === 'skipped' ? '-' : worst ? MARKS[worst.severity] : '✓';
  return [
    `${mark} ${check.padEnd(19)} ${note}`,
    ...findings.flatMap(({ message, fix }) => [`    ${message}`, `    → ${fix}`]),
  ];
}

async function examine(options: DoctorOptions): Promise<void> {
  // Only here: they load Nest and what works with the database, and every other command would wait for that.
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

/** `countersign doctor`: with the service's environment, beside the service, whether or not it runs. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Looks at the whole installation and says what is wrong, and how to mend it; changes nothing',
    )
    .addOption(
      new Option('--url <url>', 'where the service is; else HOST and PORT say').env('COUNTERSIGN_URL'),
    )
    .addOption(
      new Option('--key <key>', 'operator’s or observer’s key; else that of the environment').env(
        'COUNTERSIGN_KEY',
      ),
    )
    .option('--json', 'print the result as JSON')
    .action(examine);
}
