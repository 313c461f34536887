import { canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import { listOf, type InputTest, type RuleMatch } from '../document/policy-schema';
import { MAX_TEXT } from '../matchers/glob';
import { compileHostPattern, type AskedHost } from '../matchers/host-pattern';
import { anyOf, type Doubt, type Match } from '../matchers/match';
import { compilePathPattern, type PatternUse } from '../matchers/path-pattern';
import type { ResolvedPath } from '../matchers/resolve-path';
import { compileTextPattern, isLiteral } from '../matchers/text-pattern';
import { compileMention, findMention, type Mention } from '../shell/mentions';
import { compilePaths } from './compile-paths';
import { CUT, NO_COMMAND, type Facts, type HostInCommand } from './facts';
import type { CommandMatcher } from '../shell/command-matcher';
import type { Matcher } from './matcher';

/**
 * Compiles the matchers of a rule, all of which must match. One that proves (allow) matches what is certain; one that
 * catches (deny, ask) matches what is possible. The command of a rule that allows is not among them: it takes several
 * rules to allow a line.
 */
export function compileMatch(match: RuleMatch, use: PatternUse): Matcher[] {
  const matchers: Matcher[] = [];
  const add = <T>(value: T | undefined, compile: (value: T) => Matcher): void => {
    if (value !== undefined) matchers.push(compile(value));
  };
  add(match.key, (list) => names(list, ({ request }) => request.key));
  add(match.owner, (list) => names(list, ({ request }) => request.owner));
  add(match.connector, (list) => names(list, ({ request }) => request.connector));
  add(match.agent, (list) => names(list, ({ request }) => request.agentId));
  add(match.session, (list) => names(list, ({ request }) => request.sessionId));
  add(match.mode, (list) => names(list, ({ request }) => request.mode));
  // The directory of an allowed command is proven with it: `cd` may change it.
  if (!(use === 'prove' && match.command)) add(match.cwd, (list) => directories(list, use));
  // The others take longer, up to the limit of an evaluation.
  if (use === 'catch') add(match.command, (command) => commands(command));
  add(match.path, (list) => compilePaths(listOf(list), listOf(match.except), use));
  add(match.host, (list) => hosts(listOf(list), use));
  add(match.input, (tests) => inputs(tests));
  return matchers;
}

/** True for a name that one of the globs matches. */
export function compileNames(list: string | readonly string[]): (name: string) => boolean {
  const literals = new Set(listOf(list).filter(isLiteral));
  const globs = listOf(list)
    .filter((pattern) => !isLiteral(pattern))
    .map((pattern) => compileTextPattern(pattern));
  return (name) => literals.has(name) || globs.some((matches) => matches(name));
}

function names(list: string | readonly string[], read: (facts: Facts) => string | null): Matcher {
  const matches = compileNames(list);
  const stepsOf = countSteps(list);
  return (facts) => {
    const name = read(facts);
    if (name === null) return 'missing';
    facts.spend(stepsOf(name));
    return matches(name);
  };
}

/** True for a directory that one of the patterns matches. */
export function compileDirectories(
  list: string | readonly string[],
  use: PatternUse,
): (directory: ResolvedPath) => Match {
  const patterns = listOf(list).map((pattern) => compilePathPattern(pattern, use));
  return (directory) => {
    if (use === 'prove' && directory.doubt !== null) return { reason: 'path', words: directory.doubt };
    return anyOf(patterns.map((pattern) => pattern(directory, null)));
  };
}

function directories(list: string | readonly string[], use: PatternUse): Matcher {
  const matches = compileDirectories(list, use);
  const cost = listOf(list).length;
  return (facts) => {
    facts.spend(cost);
    if (facts.cwd === null) return 'missing';
    const match = matches(facts.cwd);
    if (use === 'prove' || match !== false) return match;
    const inPlace = facts.place !== null && facts.place !== facts.cwd && matches(facts.place);
    if (inPlace !== false) return inPlace;
    return changesDirectory(facts)
      ? { reason: 'command', words: 'the command may change its directory' }
      : false;
  };
}

/** A command that begins elsewhere may still run in the directory of the rule. */
function changesDirectory(facts: Facts): boolean {
  return facts.command() !== null && findMention(facts.index(), CHANGES) !== null;
}

/** The words by which a command may begin elsewhere. */
export const CHANGES: Mention = compileMention({
  mentions: [['cd'], ['pushd'], ['chdir'], ['-C'], ['env', '--chdir']],
});

function hosts(list: readonly string[], use: PatternUse): Matcher {
  const patterns = list.map((pattern) => compileHostPattern(pattern, use));
  // Every word may be the name of a host, and would match `*`.
  const named = list.filter((pattern) => pattern !== '*').map((pattern) => compileHostPattern(pattern, use));
  const isCaught = ({ host, isCertain }: HostInCommand) =>
    (isCertain ? patterns : named).some((matches) => matches(host));
  const inTexts = (facts: Facts): Match => {
    if (facts.lacksCommand) return NO_COMMAND;
    const asked = facts.hostsInTexts();
    const isAsked = (host: AskedHost) => {
      facts.spend(patterns.length);
      return patterns.some((matches) => matches(host));
    };
    if (asked.found.some(isAsked)) return true;
    const inCommand = facts.commandHosts();
    facts.spend(inCommand.found.length * patterns.length);
    if (inCommand.found.some((found) => isCaught(found))) return true;
    if (asked.isCut || inCommand.isCut) return CUT;
    const written = inCommand.found.find(({ host, isCertain }) => isCertain && host.doubt !== null)?.host
      .doubt;
    return written ? { reason: 'url', words: written } : false;
  };
  const inUrls = (facts: Facts): Match => {
    const asked = facts.hosts();
    if (asked === null) return { reason: 'url', words: 'the URL is missing or cannot be read' };
    facts.spend(asked.length * patterns.length);
    const doubt = asked.find((host) => host.doubt !== null)?.doubt ?? null;
    const isMatch = (host: (typeof asked)[number]) => patterns.some((matches) => matches(host));
    if (use === 'catch' && asked.some(isMatch)) return true;
    if (doubt !== null) return { reason: 'url', words: doubt };
    return use === 'prove' && asked.every(isMatch);
  };
  return (facts) => {
    if (!facts.has('url')) return use === 'catch' && inTexts(facts);
    const known = inUrls(facts);
    return use === 'catch' && facts.hasForeign() ? anyOf([known, inTexts(facts)]) : known;
  };
}

function inputs(tests: Readonly<Record<string, InputTest>>): Matcher {
  const compiled = Object.entries(tests).map(([pointer, test]) => ({
    path: pointer
      .slice(1)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
    test: compileInputTest(test),
  }));
  return (facts) => {
    let isMissing = false;
    for (const { path, test } of compiled) {
      const value = memberAt(facts.request.toolInput, path);
      facts.spend(1);
      const match = value === undefined ? 'missing' : test(value, facts);
      if (match === false || typeof match === 'object') return match;
      if (match === 'missing') isMissing = true;
    }
    return isMissing ? 'missing' : true;
  };
}

function compileInputTest(test: InputTest): (value: JsonValue, facts: Facts) => Match {
  if ('glob' in test) {
    const matches = compileNames(test.glob);
    const stepsOf = countSteps(test.glob);
    return (value, facts) => {
      if (typeof value !== 'string') return { reason: 'input', words: 'a member of the input is not text' };
      facts.spend(stepsOf(value));
      return matches(value);
    };
  }
  const values = 'any' in test ? test.any : [test.equals];
  const scalars = new Set(values.filter((value) => !isNested(value)));
  const texts = new Set(values.filter(isNested).map((value) => canonicalize(value)));
  return (value, facts) =>
    isNested(value) ? texts.size > 0 && texts.has(facts.canonicalOf(value)) : scalars.has(value);
}

function isNested(value: JsonValue): value is Extract<JsonValue, object> {
  return typeof value === 'object' && value !== null;
}

/** The steps in which the globs go through a name: a wildcard looks at each of its characters. */
function countSteps(list: string | readonly string[]): (name: string) => number {
  const all = listOf(list);
  const wild = all.filter((pattern) => !isLiteral(pattern) && pattern !== '*').length;
  return ({ length }) => all.length + Math.ceil((wild * Math.min(length, MAX_TEXT)) / 2);
}

function memberAt(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((part, name) => {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, name)) return undefined;
    return (part as Readonly<Record<string, JsonValue>>)[name];
  }, value);
}

const SCATTERED: Doubt = { reason: 'command', words: 'the words of a command are in several members' };

/**
 * A command anywhere in the line; for an unknown tool, in any of its texts. Words that are divided among several texts and
 * names may be a command, and may mean nothing: they are a doubt.
 */
function commands(matcher: CommandMatcher): Matcher {
  const mention = compileMention(matcher);
  return (facts, tokens) => {
    if (facts.shape !== null && !facts.has('command') && !facts.hasForeign()) return false;
    if (facts.lacksCommand) return NO_COMMAND;
    facts.spend(1);
    const found = findMention(facts.index(), mention, facts.spend);
    if (found === null) return facts.index().tokens === null && CUT;
    tokens.push(...found.tokens);
    return found.isScattered ? SCATTERED : true;
  };
}
