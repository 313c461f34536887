import { InvalidArgumentError } from 'commander';
import { createTwoFilesPatch } from 'diff';
import { CountersignClient } from '../../agent-side/client';
import {
  examine,
  opensIfOf,
  plan,
  type Examined,
  type PlannedFile,
} from '../../agent-side/connect/connection';
import { installedAgents, type Installed } from '../../agent-side/connect/installed';
import { linesOf } from '../../kernel/lines';
import { requireAgent } from '../run/start';
import { Findings, show } from '../output';
import { doorOf, type ServiceOptions } from '../service-options';
import { printFetchLine } from './fetch-line';
import { interruption, keptOriginals, placeOf, scopeOf, type ScopeOptions } from './place';

export interface ConnectOptions extends ServiceOptions, ScopeOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly undo?: boolean;
  readonly fetchLine?: boolean;
}

interface Planned {
  readonly installed: Installed;
  readonly files: readonly PlannedFile[];
}

const ANY_NAME = 'countersign-connect';
const CONTEXT_LINES = 3;

/**
 * Shows the change of each settings file, writes it after a yes, and proves each gate.
 *
 * @throws Findings if a gate is not proven
 */
export async function connectAgents(names: readonly string[], options: ConnectOptions): Promise<void> {
  const scope = scopeOf(options);
  // Which agents are here does not depend on the service or the key.
  const local = placeOf({ url: options.url, key: options.key ?? '' }, scope);
  const found = installedAgents(local, names);
  if (found.length === 0) {
    process.stderr.write(
      'No agent is installed here. On the machine of an agent, fetch the program and connect there:\n',
    );
    return printFetchLine(options);
  }
  const door = doorOf(options);
  const client = new CountersignClient(door);
  await requireAgent(client, ANY_NAME);
  const place = placeOf(door, scope);
  const planned = await Promise.all(
    found.map(async (installed): Promise<Planned> => ({ installed, files: await plan(installed, place) })),
  );
  const tell = (lines: readonly string[]): void => {
    if (options.json !== true) show({}, lines, options);
  };
  const half = interruption();
  if (half !== null) process.stderr.write(`${half}. Finish it with countersign connect, or --undo it.\n`);
  for (const each of planned) tell(changeLines(each));
  if (options.dryRun === true) {
    if (options.json === true)
      show({ written: false, agents: planned.map((each) => resultOf(each, null)) }, [], options);
    return;
  }
  const changes = planned.flatMap(({ installed, files }) =>
    files.filter(isChange).map((file) => ({ agent: installed.agent.name, ...file })),
  );
  if (changes.length > 0 && options.yes !== true) await requireYes(changes.length, options);
  keptOriginals().replaceAll(
    planned.map(({ installed }) => installed.agent.name),
    changes,
  );
  const results = [];
  for (const each of planned) {
    const examined = await examine(each.installed, place, client);
    tell(verdictLines(each.installed, examined));
    results.push(resultOf(each, examined));
  }
  const ok = results.every(({ gate }) => gate !== 'not-gated');
  show({ ok, written: true, agents: results }, closingLines(options), options);
  if (!ok) throw new Findings('a gate is not proven');
}

const isChange = ({ before, after }: PlannedFile): boolean => before !== after;

function closingLines({ url }: ConnectOptions): string[] {
  return [
    '',
    `Start each agent with COUNTERSIGN_KEY in its environment; Gemini CLI, Cursor and countersign run read COUNTERSIGN_URL=${url} too where no --url is given.`,
    'countersign doctor --agents repeats the proof; countersign connect --undo restores the settings.',
  ];
}

/** @throws Error if nobody says yes */
async function requireYes(count: number, { json }: ConnectOptions): Promise<void> {
  if (json === true || !process.stdin.isTTY)
    throw new Error(
      'nothing was written: nobody can be asked here, so give --yes, or --dry-run to only look',
    );
  process.stderr.write(`Write ${count === 1 ? 'this change' : `these ${count} changes`}? [y/N] `);
  for await (const line of linesOf(process.stdin)) {
    if (/^y(es)?$/i.test(line.trim())) return;
    break;
  }
  throw new Error('nothing was written');
}

const titleOf = ({ agent, version, program }: Installed): string =>
  [agent.title, version ?? '', program === null ? '' : `(${program})`]
    .filter((word) => word !== '')
    .join(' ');

function changeLines({ installed, files }: Planned): string[] {
  const lines = files.flatMap((file) =>
    isChange(file) ? diffOf(file).trimEnd().split('\n') : [`${file.path}: nothing to change`],
  );
  const note = installed.agent.note === null ? [] : [`  ${installed.agent.note}`];
  return ['', titleOf(installed), ...note, ...lines.map((line) => `  ${line}`)];
}

function diffOf({ path, before, after }: PlannedFile): string {
  const name = before === null ? '/dev/null' : path;
  const patch = createTwoFilesPatch(name, path, before ?? '', after, undefined, undefined, {
    context: CONTEXT_LINES,
  });
  return patch.split('\n').slice(1).join('\n');
}

function verdictLines(installed: Installed, { verdict, faults, gate }: Examined): string[] {
  const mark = gate === 'not-gated' ? '✗' : gate === 'fails-open' ? '!' : '✓';
  const rest = faults.filter((fault) => !verdict.includes(fault));
  return [`${mark} ${titleOf(installed)}: ${verdict}`, ...rest.map((fault) => `    ${fault}`)];
}

function resultOf({ installed, files }: Planned, examined: Examined | null) {
  const { agent, program, version } = installed;
  return {
    agent: agent.name,
    program,
    version,
    files: files.map((file) => ({
      path: file.path,
      change: !isChange(file) ? 'none' : file.before === null ? 'created' : 'edited',
      diff: isChange(file) ? diffOf(file) : null,
    })),
    gate: examined?.gate ?? null,
    opensIf: opensIfOf(installed),
    verdict: examined?.verdict ?? null,
    faults: examined?.faults ?? [],
  };
}

/**
 * Restores what `connect` changed.
 *
 * @throws Findings if a file was changed since, and stays
 */
export function undoConnect(names: readonly string[], options: ConnectOptions): void {
  if (options.user === true || options.project === true || options.managed === true)
    throw new InvalidArgumentError(
      '--undo restores every file that connect wrote: name agents, and no scope',
    );
  const undone = keptOriginals().undo(names);
  const ok = undone.every(({ refused }) => refused === null);
  const lines = undone.map(({ path, refused }) =>
    refused === null ? `✓ ${path}: as it was` : `✗ ${path}: ${refused}`,
  );
  show({ ok, files: undone }, lines.length === 0 ? ['Nothing to restore.'] : lines, options);
  if (!ok) throw new Findings('a file was not restored');
}
