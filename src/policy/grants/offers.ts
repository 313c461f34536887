import type { CommandMatcher } from '../shell/command-matcher';
import { CompiledPolicy } from '../evaluation/compile-policy';
import { evaluate } from '../evaluation/evaluate';
import { Facts, TooManySteps } from '../evaluation/facts';
import { isInteractive } from '../evaluation/interactive';
import type { PolicyRequest } from '../evaluation/policy-request';
import { TooLongToMatch } from '../matchers/glob';
import { findCarrier, nameOf, READERS, RUNS_TESTS, STATEFUL_WORDS } from '../shell/carriers';
import { lintCommandMatcher } from '../shell/lint-command-matcher';
import { walk, type Run } from '../shell/prove';
import { READING_GIT } from '../starter/reading-commands';
import type { ToolShape, ToolShapes } from '../tool-shapes';
import { compileScope, scopeId, type Scope, type ScopeMatch } from './scope';

/** A scope that a person may grant from a card. */
export interface Offer {
  readonly id: string;
  readonly scope: Scope;
  /** The scope in words, whole. */
  readonly words: string;
}

/** The widest offer comes last, and a person compares no more than these. */
const MAX_OFFERS = 4;
/** A person reads the words on a phone. Longer ones are not offered, since they must not be cut. */
const MAX_WORDS = 160;
/** A line of more commands is not a habit. */
const MAX_COMMANDS = 3;

/** Programs that run the scripts of a project. A grant of their very words runs what the card ran: the script may change. */
const SCRIPT_RUNS: ReadonlySet<string> = new Set(
  [
    'npm run|test',
    'pnpm run|test',
    'yarn run|test',
    'cargo bench|build|check|clippy|doc|test',
    'go build|test|vet',
    'dotnet build|test',
  ].flatMap((row) => {
    const [name, subcommands = ''] = row.split(' ');
    return subcommands.split('|').map((subcommand) => `${name} ${subcommand}`);
  }),
);

/** Files that decide what runs later. No scope but the exact action covers them. */
const EXCEPT = ['**/.*', '**/.*/**', '**/node_modules/**', '**/package.json', '**/Makefile', '**/*.md'];

/**
 * The scopes that a person may grant from a request, narrowest first. None for what the rules cannot read, for programs that
 * run others, and for terminals: there a repetition says nothing about what will run.
 */
export function findOffers(request: PolicyRequest, inputDigest: string, shapes: ToolShapes): Offer[] {
  try {
    return offersOf(request, inputDigest, shapes);
  } catch (error) {
    if (error instanceof TooManySteps || error instanceof TooLongToMatch) return [];
    throw error;
  }
}

function offersOf(request: PolicyRequest, inputDigest: string, shapes: ToolShapes): Offer[] {
  const shape = shapes.get(request.toolName) ?? null;
  const facts = new Facts(request, shape, new Date(0));
  if (facts.obstacle() !== null || facts.lacksCommand || isInteractive(facts)) return [];
  const runs = runsOf(facts);
  if (runs === null) return [];
  const exact = offer({ kind: 'exact', inputDigest }, 'this exact action');
  const wider = shape === null ? [] : runs.length > 0 ? commandOffers(runs) : placeOffers(facts, shape);
  const isSound = ({ scope, words }: Offer) => words.length <= MAX_WORDS && covers(scope, request, shapes);
  return [exact, ...wider].filter(isSound).slice(0, MAX_OFFERS);
}

/** True if the scope covers the request without any rule. An exact scope is compared by its caller. */
export function covers(scope: Scope, request: PolicyRequest, shapes: ToolShapes): boolean {
  const alone = new CompiledPolicy('', compileScope(scope), new Map(), shapes);
  return evaluate(alone, request, new Date(0)).decision === 'allow';
}

function offer(scope: Scope, words: string): Offer {
  return { id: scopeId(scope), scope, words };
}

/** The commands of the line, without changes of directory; none for another tool, null if one of them is not offered. */
function runsOf(facts: Facts): readonly Run[] | null {
  const command = facts.command();
  if (command === null) return [];
  if (command.doubt !== null) return null;
  const { runs, isWhole } = walk(command.statements, facts.start);
  const real = runs.filter(({ simple }) => simple.words[0] !== 'cd');
  return isWhole && real.length > 0 && !real.some(isUnfit) ? real : null;
}

function isUnfit({ simple: { words } }: Run): boolean {
  const [name, subcommand = ''] = words;
  if (STATEFUL_WORDS.has(name)) return true;
  if (SCRIPT_RUNS.has(`${nameOf(name)} ${subcommand}`) || findCarrier(name, []) === RUNS_TESTS) return false;
  return (
    findCarrier(name, [subcommand]) !== null || lintCommandMatcher({ argv: [...words] }, 'allow').length > 0
  );
}

function commandOffers(runs: readonly Run[]): Offer[] {
  const places = new Set(runs.flatMap(({ directories }) => directories));
  const [place = null] = places;
  const isPlain = runs.length <= MAX_COMMANDS && runs.every(({ simple }) => simple.outputs.length === 0);
  if (!isPlain || places.size !== 1 || place === null || !isLiteralPath(place)) return [];
  const lines = distinct(runs.map(({ simple: { words } }) => words.map(quoteWord).join(' ')));
  const inPlace = (commands: readonly CommandMatcher[]): Scope => ({
    kind: 'matching',
    matches: commands.map((command): ScopeMatch => ({ command, cwd: place })),
  });
  const offers = [
    offer(
      inPlace(runs.map(({ simple }) => ({ argv: [...simple.words] }))),
      `${lines.join(' and ')} in ${place}`,
    ),
  ];
  if (runs.every(({ simple: { words } }) => isReadingGit(words))) {
    offers.push(offer(inPlace([READING_GIT]), `git ${GIT_READS.join('|')} … in ${place}`));
    return offers;
  }
  const open = runs.map(({ simple: { words } }) => openOperands(words));
  if (open.every((command) => command !== null)) {
    const words = open.map(({ argv, flags = [] }) => [...argv, ...flags].join(' '));
    offers.push(offer(inPlace(open), `${distinct(words).join(' and ')} with any files below ${place}`));
  }
  return offers;
}

const [, GIT_SUBCOMMANDS] = READING_GIT.argv;
const GIT_READS: readonly string[] = GIT_SUBCOMMANDS.any;

function isReadingGit([name, subcommand = '']: readonly string[]): boolean {
  return name === 'git' && GIT_READS.includes(subcommand);
}

/** The command with any files below its directory in place of its own; null if it has none, or may run or write anything. */
function openOperands(words: readonly string[]): (CommandMatcher & { readonly argv: string[] }) | null {
  if (!READERS.has(words[0] ?? '')) return null;
  const end = words.findIndex((word, at) => at > 0 && !/^[a-z][a-z-]*$/.test(word));
  const argv = words.slice(0, end === -1 ? words.length : end);
  const rest = words.slice(argv.length);
  const flags = distinct(rest.filter((word) => word.startsWith('-')));
  const files = rest.filter((word) => !word.startsWith('-'));
  if (files.length === 0 || !files.every((word) => /^[\w./-]*[./][\w./-]*$/.test(word))) return null;
  if (!flags.every((flag) => /^-[A-Za-z]+$|^--[a-z][a-z-]*$/.test(flag))) return null;
  const command = { argv, ...(flags.length > 0 && { flags }), operands: 'path' as const };
  return lintCommandMatcher(command, 'allow').length > 0 ? null : command;
}

/** The file itself, its directory, and the first directory below the working directory; or the host of a URL. */
function placeOffers(facts: Facts, shape: ToolShape): Offer[] {
  const scoped = (match: ScopeMatch, words: string) => offer({ kind: 'matching', matches: [match] }, words);
  const verb = facts.request.toolName;
  const [host, ...otherHosts] = facts.has('url') ? (facts.hosts() ?? []) : [];
  if (host)
    return otherHosts.length > 0 || host.doubt !== null || host.port !== ''
      ? []
      : [scoped({ host: [host.name] }, `${verb} at ${host.name}`)];
  const [asked, ...others] = facts.paths() ?? [];
  const cwd = facts.start;
  if (!asked || others.length > 0 || cwd === null || asked.path.doubt !== null) return [];
  const { text } = asked.path;
  if (!isLiteralPath(text) || !text.startsWith(`${cwd}/`)) return [];
  const [first = '', ...rest] = text.slice(cwd.length + 1).split('/');
  const except = asked.isTree ? {} : { except: EXCEPT };
  const directories = distinct([text.slice(0, text.lastIndexOf('/')), `${cwd}/${first}`]);
  return [
    scoped({ path: [text], ...except }, shape.writes ? `any ${verb} of ${text}` : `${verb} of ${text}`),
    ...(rest.length > 0 ? directories : []).map((directory) =>
      scoped({ path: [`${directory}/**`], ...except }, `${verb} below ${directory}`),
    ),
  ];
}

/** True for an absolute path without characters that a glob reads otherwise. */
function isLiteralPath(path: string): boolean {
  return /^\/[^*?[\]{}()!@+\\\p{C}]+$/u.test(path);
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word}'`;
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
