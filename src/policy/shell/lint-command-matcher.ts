import { findCarrier, findCodeOptions, STATEFUL_WORDS, WRITERS } from './carriers';
import { readFlag, type CommandMatcher } from './command-matcher';

export interface CommandFinding {
  /** Path inside the matcher. */
  readonly path: (string | number)[];
  readonly message: string;
  readonly fix: string;
  readonly severity: 'error' | 'warning';
  /** The word with which a rule accepts this finding (`i-know: carrier`); null if it cannot be accepted. */
  readonly iKnow: 'carrier' | null;
}

/** Everything in a `command` matcher that is unsafe, or that cannot mean anything in a rule of this decision. */
export function lintCommandMatcher(
  matcher: CommandMatcher,
  usage: 'allow' | 'deny' | 'ask',
): readonly CommandFinding[] {
  return [...(usage === 'allow' ? lintAllow(matcher) : lintElsewhere(matcher, usage))];
}

/** Joined flags such as `-rf`; longer words may be one flag, such as `-exec` of find. */
const JOINED_FLAGS = /^-[A-Za-z]{2,3}$/;

function joined(token: string, path: (string | number)[]): CommandFinding {
  const apart = Array.from(token.slice(1), (letter) => `-${letter}`).join(' ');
  return {
    path,
    message: `${token} is found where the flags are joined, not as ${apart} nor by their long names.`,
    fix: 'Mention one flag in a sequence of its own, and its long name in another: [rm, -r] and [rm, --recursive] find every spelling of rm -rf.',
    severity: 'warning',
    iKnow: null,
  };
}

function* lintElsewhere(matcher: CommandMatcher, usage: 'deny' | 'ask'): Generator<CommandFinding> {
  const { argv, mentions, flags } = matcher;
  if (argv === undefined && mentions === undefined)
    yield error(['argv'], 'This matcher names no command.', 'Add argv or mentions.');
  if (flags !== undefined && argv === undefined)
    yield error(['flags'], 'Flags without argv belong to no command.', 'Add argv.');
  for (const [at, sequence] of (mentions ?? []).entries())
    for (const [place, token] of sequence.entries())
      if (JOINED_FLAGS.test(token)) yield joined(token, ['mentions', at, place]);
  for (const member of ['operands', 'writes'] as const)
    if (matcher[member] !== undefined)
      yield error(
        [member],
        `${member} limits what an allow rule allows; in a rule that says ${usage} it has no meaning.`,
        `Remove it. A rule that says ${usage} matches the command whatever follows.`,
      );
}

function* lintAllow(matcher: CommandMatcher): Generator<CommandFinding> {
  const { argv, flags = [], operands = 'none', writes = [], mentions } = matcher;
  if (mentions !== undefined)
    yield error(
      ['mentions'],
      'A mention proves nothing about what else the command does.',
      'List the words of the command in argv, or say ask or deny.',
    );
  if (argv === undefined) {
    yield error(['argv'], 'An allow rule must say which command it allows.', 'Add argv.');
    return;
  }
  const open = openMember(flags, operands);
  for (const [path, name] of wordsAt(argv, 0)) {
    if (STATEFUL_WORDS.has(name))
      yield error(
        path,
        `${name} changes the shell in which the rest of the line runs.`,
        'Remove it. `cd DIRECTORY &&` needs no rule.',
      );
    else if (/[\s"'`$;&|<>(){}*?[\]\\!#~=]/.test(name))
      yield error(
        path,
        `${name} can never be a command word: it would need quotes.`,
        'Write the bare name or path.',
      );
    for (const finding of lintCommand(name, argv, open))
      yield { ...finding, path: finding.path.length > 0 ? finding.path : path };
    for (const [at, entry] of flags.entries())
      if (bearsCode(name, readFlag(entry).word))
        yield carrier(['flags', at], `${entry} lets ${name} run code or write files.`, 'Remove the flag.');
  }
  for (const [at, glob] of writes.entries()) yield* lintWrites(glob, ['writes', at]);
}

function openMember(flags: readonly string[], operands: string): string | null {
  if (operands !== 'none') return `operands: ${operands}`;
  return flags.find((entry) => ['any', 'path'].includes(readFlag(entry).open?.kind ?? '')) ?? null;
}

/** Findings without a path are about the command word. */
function* lintCommand(
  name: string,
  argv: NonNullable<CommandMatcher['argv']>,
  open: string | null,
): Generator<CommandFinding> {
  const subcommandAt = argv.findIndex(
    (_, at) => at > 0 && !wordsAt(argv, at).some(([, w]) => w.startsWith('-')),
  );
  const subcommands = subcommandAt === -1 ? [] : wordsAt(argv, subcommandAt).map(([, word]) => word);
  const why = findCarrier(name, subcommands);
  if (open !== null && why !== null)
    yield carrier(
      [],
      `${name} ${why}: with ${open} this rule allows any command.`,
      'List every word in argv and leave operands and flags out, or name the program that it runs in a rule of its own.',
    );
  if (open !== null && WRITERS.has(name))
    yield {
      path: [],
      message: `${name} writes files, and ${open} lets the agent choose which.`,
      fix: 'Name the files in argv.',
      severity: 'warning',
      iKnow: null,
    };
  for (let at = 1; at < argv.length; at++)
    for (const [path, word] of wordsAt(argv, at))
      if (bearsCode(name, word, subcommandAt === -1 || at < subcommandAt))
        yield carrier(path, `${word} lets ${name} run code or write files.`, 'Remove it.');
}

/** The words that may stand at a place of argv, each with its path in the matcher. */
function wordsAt(argv: NonNullable<CommandMatcher['argv']>, at: number): [(string | number)[], string][] {
  const entry = argv[at];
  if (entry === undefined) return [];
  if (typeof entry === 'string') return [[['argv', at], entry]];
  return entry.any.map((word, index) => [['argv', at, 'any', index], word]);
}

/** True for an option of the table, an abbreviation of it, a value joined to it, and a cluster of letters that has it. */
function bearsCode(command: string, word: string, isBeforeSubcommand = false): boolean {
  const row = findCodeOptions(command);
  if (row === undefined || !word.startsWith('-')) return false;
  const options = isBeforeSubcommand ? [...row.before, ...row.anywhere] : row.anywhere;
  const [name = word] = word.split('=');
  return options.some((option) => {
    if (option.length > 2) return name.length > 2 && option.startsWith(name);
    return (
      word.startsWith(option) ||
      (/^-[A-Za-z]+$/.test(word) && !row.hasWordOptions && word.includes(option[1] ?? ''))
    );
  });
}

function* lintWrites(glob: string, path: (string | number)[]): Generator<CommandFinding> {
  const inside = glob.replace(/^\$\{cwd\}\//, '');
  if (/^[*/]*$/.test(inside) || /^(?:\.\.|~)(?:\/|$)/.test(inside) || inside.includes('/../'))
    yield error(
      path,
      `${glob} allows the command to write almost any file.`,
      'Name a directory or a kind of file, for example coverage/** or *.log.',
    );
}

function error(path: (string | number)[], message: string, fix: string): CommandFinding {
  return { path, message, fix, severity: 'error', iKnow: null };
}

function carrier(path: (string | number)[], message: string, fix: string): CommandFinding {
  return {
    path,
    message,
    fix: `${fix} If this is what you mean, add \`i-know: carrier\` to the rule.`,
    severity: 'error',
    iKnow: 'carrier',
  };
}
