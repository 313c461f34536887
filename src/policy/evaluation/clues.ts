import { listOf, type RuleMatch } from '../document/policy-schema';
import { MAX_TEXT } from '../matchers/glob';
import { hostPatternName, type AskedHost } from '../matchers/host-pattern';
import { fixedBeginning, type FixedBeginning, type PatternUse } from '../matchers/path-pattern';
import { literalBeginning } from '../matchers/text-pattern';
import type { Mention } from '../shell/mentions';
import { foldToken } from '../shell/token-index';
import type { AskedPath, Facts } from './facts';

const LABELS = {
  key: ({ request }: Facts) => request.key,
  owner: ({ request }: Facts) => request.owner,
  connector: ({ request }: Facts) => request.connector,
  agent: ({ request }: Facts) => request.agentId,
  session: ({ request }: Facts) => request.sessionId,
  mode: ({ request }: Facts) => request.mode,
  tool: ({ request }: Facts) => request.toolName,
};
export type Label = keyof typeof LABELS;
const LABEL_NAMES = Object.keys(LABELS) as Label[];
const CALLER = LABEL_NAMES.filter((label) => label !== 'tool');

/**
 * Values of which a rule needs one: a request without any of them cannot match the rule, and gives no doubt about it. An
 * index finds rules by them. A label begins with the value; a word is one of the command; a host is the value or below it.
 */
export type Clue =
  | { readonly kind: Label | 'word' | 'host'; readonly values: readonly string[] }
  | { readonly kind: 'path'; readonly values: readonly FixedBeginning[] };

/**
 * The clue of a rule; null: only its test can tell. It is of one of the first matchers, so that the failures of those
 * before it, which are doubts, are the same with and without an index.
 */
export function clueOf(match: RuleMatch, mention: Mention | null): Clue | null {
  for (const kind of CALLER) {
    const found = labelClue(kind, match);
    if (found) return found;
  }
  if (mention) return { kind: 'word', values: firstWords(mention) };
  if (match.path === undefined) {
    const hosts = readAll(match.host, hostPatternName);
    if (hosts) return { kind: 'host', values: hosts };
  }
  const paths = readAll(match.path, fixedBeginning);
  return paths ? { kind: 'path', values: paths } : labelClue('tool', match);
}

/** Null if a pattern has no fixed beginning. */
function labelClue(kind: Label, match: RuleMatch): Clue | null {
  const values = readAll(match[kind], literalBeginning);
  return values === null || values.includes('') ? null : { kind, values };
}

/** Null if one of the patterns has no value, or there are none. */
function readAll<T>(
  list: string | readonly string[] | undefined,
  read: (pattern: string) => T | null,
): T[] | null {
  const values = list === undefined ? [null] : listOf(list).map(read);
  return values.includes(null) ? null : (values as T[]);
}

function firstWords({ sequences, argv }: Mention): string[] {
  return [...sequences, argv ?? []].flatMap(([first]) => first ?? []).map(foldToken);
}

/** Reads the values of a request; null: every rule may match. */
export function labelOf(label: Label, facts: Facts): string | null {
  return read(facts, () => LABELS[label](facts));
}

export function wordsOf(facts: Facts): Iterable<string> | null {
  return read(facts, () => (facts.lacksCommand ? null : facts.index().tokens));
}

export function hostsOf(facts: Facts, use: PatternUse): readonly string[] | null {
  return read(facts, () => {
    const isKnown = facts.has('url');
    if (isKnown && facts.hasForeign()) return null;
    if (!isKnown && use === 'prove') return [];
    const hosts = isKnown ? facts.hosts() : hostsOfTexts(facts);
    // A doubtful host is a doubt about every rule.
    return hosts?.every(({ doubt }) => doubt === null) ? hosts.map(({ name }) => name) : null;
  });
}

function hostsOfTexts(facts: Facts): readonly AskedHost[] | null {
  if (facts.lacksCommand) return null;
  const { found, isCut } = facts.hostsInTexts();
  const inCommand = facts.commandHosts();
  return isCut || inCommand.isCut ? null : [...found, ...inCommand.found.map(({ host }) => host)];
}

/** Each has its spellings, which are not too long. */
export function pathsOf(facts: Facts, use: PatternUse): readonly AskedPath[] | null {
  return read(facts, () => {
    const isKnown = facts.has('path', 'tree');
    if (isKnown && facts.hasForeign()) return null;
    if (!isKnown && use === 'prove') return [];
    const paths = isKnown ? pathsOfInput(facts) : pathsOfTexts(facts);
    return paths?.every(({ path }) => path.spellings.length > 0) ? paths : null;
  });
}

function pathsOfInput(facts: Facts): readonly AskedPath[] | null {
  // Those of a pattern are below a tree, or elsewhere.
  const paths = facts.has('pattern') ? null : facts.paths();
  // A doubtful path is a doubt about every rule, and below a tree every one may match.
  return paths?.every(({ path, isTree }) => !isTree && path.doubt === null) ? paths : null;
}

function pathsOfTexts(facts: Facts): readonly AskedPath[] | null {
  if (facts.lacksCommand || facts.hasLeft) return null;
  const { found, isCut } = facts.words();
  if (isCut || found.some(({ path, kind }) => kind !== 'word' && path.root === 'unknown')) return null;
  const asked = facts.commandPaths();
  if (asked.some(({ path }) => path.root !== 'absolute')) return null;
  return [...found.map(({ path }) => ({ path, isTree: false })), ...asked];
}

/** A failure is one of the limits, and each rule has its doubt then. */
function read<T>(facts: Facts, own: () => T | null): T | null {
  try {
    return isOrdinary(facts) ? own() : null;
  } catch {
    return null;
  }
}

/** True if no text that is matched before a clue is too long for a glob, which would be a doubt. */
function isOrdinary(facts: Facts): boolean {
  // Fails for a directory that is too long.
  if (facts.cwd?.spellings.length === 0 || facts.place?.spellings.length === 0) return false;
  return LABEL_NAMES.every((label) => (LABELS[label](facts)?.length ?? 0) <= MAX_TEXT);
}
