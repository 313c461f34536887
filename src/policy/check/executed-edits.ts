import { MAX_FINDINGS, type Fault } from '../document/finding';
import { listOf, type Rule } from '../document/policy-schema';
import { compileNames } from '../evaluation/compile-match';
import { compilePathPattern } from '../matchers/path-pattern';
import { resolvePath } from '../matchers/resolve-path';
import type { ToolShapes } from '../tool-shapes';
import { FILES_EXECUTED_BY_ITSELF, filesExecutedBy } from './executed-files';
import { mayOverlap } from './glob-overlap';
import { sampleOf } from './sample';

/**
 * Faults of rules that allow writing what another rule allows to execute: together they allow any command. A rule that says
 * `i-know: executes-edits` accepts that.
 */
export function executedEditFaults(rules: readonly Rule[], shapes: ToolShapes): Fault[] {
  const allows = rules
    .map((rule, index) => ({ rule, index }))
    .filter(({ rule }) => rule.decision === 'allow' && !listOf(rule['i-know']).includes('executes-edits'));
  const runners = distinct(allows.flatMap(({ rule }) => runnerOf(rule)));
  const faults: Fault[] = [];
  for (const { rule, index } of allows) {
    const writes = writtenBy(rule, shapes);
    if (writes === null) continue;
    for (const fault of [firstFault(writes, index, runners), faultOf(writes, index, ITSELF)])
      if (fault) faults.push(fault);
    // Finding out takes long for rules that write the same as many others run, and nobody is shown more.
    if (faults.length > MAX_FINDINGS) break;
  }
  return faults;
}

/** The fault with the first rule that executes what the rule writes: mending it mends it for most of the others. */
function firstFault(written: Written, index: number, runners: readonly Runner[]): Fault | null {
  for (const runner of runners) {
    const fault = faultOf(written, index, runner);
    if (fault) return fault;
  }
  return null;
}

/** The first of the runners that execute the same files in the same directories. */
function distinct(runners: readonly Runner[]): Runner[] {
  const first = new Map<string, Runner>();
  for (const runner of runners) {
    const key = JSON.stringify([runner.files, runner.directories]);
    if (!first.has(key)) first.set(key, runner);
  }
  return [...first.values()];
}

/** Files that a rule allows to write. */
interface Written {
  readonly rule: string;
  readonly member: 'path' | 'command';
  readonly globs: readonly string[];
  readonly except: readonly string[];
  readonly directories: readonly string[];
}

/** Files that a rule allows to execute. */
interface Runner {
  readonly rule: string | null;
  readonly program: string;
  readonly files: readonly string[];
  /** Null: any directory. */
  readonly directories: readonly string[] | null;
}

const ITSELF: Runner = { rule: null, program: '', files: FILES_EXECUTED_BY_ITSELF, directories: null };

function writtenBy({ id, match = {} }: Rule, shapes: ToolShapes): Written | null {
  const directories = listOf(match.cwd);
  const below = (glob: string) =>
    directories.length === 0 ? [`**/${glob}`] : directories.map((root) => `${root}/${glob}`);
  if (match.command) {
    const globs = (match.command.writes ?? []).flatMap((glob) =>
      glob.startsWith('/') ? [glob] : below(glob.replace(/^(?:\$\{cwd\}|\.)\//, '')),
    );
    return globs.length === 0 ? null : { rule: id, member: 'command', globs, except: [], directories };
  }
  const isNamed = match.tool === undefined ? () => true : compileNames(match.tool);
  if (![...shapes].some(([name, { writes }]) => writes && isNamed(name))) return null;
  const globs = (match.path === undefined ? ['**'] : listOf(match.path)).flatMap((glob) =>
    glob.startsWith('${cwd}') ? below(glob.slice('${cwd}/'.length)) : [glob],
  );
  return { rule: id, member: 'path', globs, except: listOf(match.except), directories };
}

function runnerOf({ id, match = {} }: Rule): Runner[] {
  const [first, second] = match.command?.argv ?? [];
  const wordsOf = (entry: typeof first) =>
    typeof entry === 'object' ? entry.any : entry === undefined ? [] : [entry];
  const directories = match.cwd === undefined ? null : listOf(match.cwd);
  return wordsOf(first).flatMap((program) => {
    const files = filesExecutedBy(program, wordsOf(second));
    return files === null ? [] : [{ rule: id, program, files, directories }];
  });
}

function faultOf(written: Written, index: number, runner: Runner): Fault | null {
  const isWritten = (file: string) =>
    rooted(file, runner.directories).some((path) => written.globs.some((glob) => mayOverlap(glob, path)));
  const hit = runner.files
    .filter(isWritten)
    .flatMap(expandFirst)
    .filter((file) => isWritten(file) && !isExcepted(file, written, runner));
  if (hit.length === 0) return null;
  const who =
    runner.rule === null
      ? 'the agent, the shell or the editor executes by itself'
      : `"${runner.program}" of rule "${runner.rule}" executes`;
  const both = runner.rule === null || runner.rule === written.rule ? 'the rule' : 'one of the two rules';
  const mend =
    hit.length > MAX_EXCEPTIONS
      ? 'Narrow it to files that no allowed command executes'
      : `Add ${hit.map((file) => `"${file}"`).join(', ')} to \`except\``;
  return {
    severity: 'error',
    path: ['rules', index, 'match', written.member],
    message: `Rule "${written.rule}" allows writing ${listing(hit)}, which ${who}. Writing and running together is running anything.`,
    fix: `${mend}, or say \`i-know: executes-edits\` in ${both}.`,
  };
}

/** A mend does not list more exceptions than these. */
const MAX_EXCEPTIONS = 12;

function listing(files: readonly string[]): string {
  const names = files.slice(0, 3).map((file) => file.replace(/^\*\*\//, ''));
  return files.length > names.length ? `${names.join(', ')} and others` : names.join(', ');
}

function rooted(file: string, directories: readonly string[] | null): string[] {
  return directories === null
    ? [file.startsWith('**/') ? file : `**/${file}`]
    : directories.map((root) => `${root}/${file}`);
}

/** True if the exceptions leave out the file, at the top of a directory and deep below it. */
function isExcepted(file: string, { except, directories }: Written, runner: Runner): boolean {
  const root = sampleOf((directories[0] ?? runner.directories?.[0] ?? '/x').replace(/\/\*\*$/, ''), [
    '',
    'x',
  ]);
  const cwd = resolvePath(root, null);
  const patterns = except.map((pattern) => compilePathPattern(pattern, 'catch'));
  return [[], ['y', 'z']].every((between) => {
    const path = resolvePath(`${root}/${sampleOf(file.replace(/\/\*\*$/, '/x'), between)}`, null);
    return patterns.some((matches) => matches(path, cwd) === true);
  });
}

/** The alternatives of the first braces: an exception may leave out one of them. */
function expandFirst(glob: string): string[] {
  const braces = /\{([^}]*)\}/.exec(glob);
  return braces ? (braces[1] ?? '').split(',').map((word) => glob.replace(braces[0], word)) : [glob];
}
