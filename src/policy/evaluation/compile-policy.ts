import { runAtOnce, type Steps } from '../../kernel/steps';
import { durationMs } from '../document/duration';
import type { Requirement } from '../../kernel/requirement';
import type { Chain } from '../../kernel/chain';
import { Roster } from '../../people/roster';
import type { Rota } from '../../people/rota';
import { compileChain } from './compile-chain';
import { compileRotas } from './compile-rota';
import { listOf, type ClassProperties, type Policy, type Rule } from '../document/policy-schema';
import { compileCondition } from '../matchers/condition';
import { allOf, type Match } from '../matchers/match';
import type { ResolvedPath } from '../matchers/resolve-path';
import { isLiteral } from '../matchers/text-pattern';
import type { CommandMatcher } from '../shell/command-matcher';
import { compileMention, vocabularyOf, type Mention } from '../shell/mentions';
import type { Vocabulary } from '../shell/token-index';
import type { ToolShapes } from '../tool-shapes';
import { clueOf, type Clue } from './clues';
import { CHANGES, compileDirectories, compileMatch, compileNames } from './compile-match';
import type { Facts } from './facts';
import { ToolIndex } from './rule-index';

/** Above this, a condition with a loop is a doubt: values and characters of input and metadata. */
const MAX_LOOP_WEIGHT = 20_000;
const RULES_IN_A_STEP = 50;

/** A command of a rule that allows, with the directories in which it does; null: in every directory. */
export interface AllowedCommand {
  readonly matcher: CommandMatcher;
  readonly isDirectory: ((directory: ResolvedPath) => boolean) | null;
}

/** A rule ready for evaluation. */
export interface CompiledRule {
  readonly id: string;
  readonly decision: Rule['decision'];
  readonly isShadow: boolean;
  readonly say: string | null;
  readonly class: string;
  readonly isForTool: (tool: string) => boolean;
  /** The tools, if the rule names each; null: globs, or every tool. */
  readonly tools: readonly string[] | null;
  /** Tests everything but the tool and, where the rule allows, the command. */
  readonly test: (facts: Facts, tokens: string[]) => Match;
  /** The words that a rule looks for that denies or asks; null if it looks for none. */
  readonly mention: Mention | null;
  /** Terms without which it cannot match; null: only the test can tell. */
  readonly clue: Clue | null;
  /** True if the time of its test may grow with the request, up to the limit of an evaluation. */
  readonly isCostly: boolean;
  /** The commands that the rule allows; null if it names none, or does not allow. */
  readonly command: AllowedCommand | null;
  /** True for the rule of a grant for one action as a whole, whose command needs no proof: a person has read it. */
  readonly isWhole: boolean;
}

/** The properties of a class. */
export interface CompiledClass {
  /** Null: the timeout of the installation. */
  readonly timeoutMs: number | null;
  /** True if a person may answer the next requests together with this one. */
  readonly grants: boolean;
  /** True if a person may decide about it together with others, by one tap. */
  readonly together: boolean;
  /** Null: one approval by any operator, or by anybody whom the document names. */
  readonly required: Requirement | null;
  /** True if every decision must give its reason. */
  readonly needsReason: boolean;
  /** Null: the one destination of the installation. */
  readonly chain: Chain | null;
  /** Time for which a claim delays its chain; null: there is no chain. */
  readonly claimMs: number | null;
  /** Longest time until a request ends if people give it more; null: that of the installation. */
  readonly maximumMs: number | null;
}

/** The delay of a chain by a claim, where the class does not say. */
const CLAIM_MS = 5 * 60_000;

/** A document ready for evaluation. */
export class CompiledPolicy {
  private readonly indexes: readonly ToolIndex<CompiledRule>[];
  /** The words that rules look for in commands. */
  readonly vocabulary: Vocabulary;

  constructor(
    readonly version: string,
    /** Sorted by id, so that the order of the document never shows. */
    readonly rules: readonly CompiledRule[],
    readonly classes: ReadonlyMap<string, CompiledClass>,
    readonly shapes: ToolShapes,
    /** Null: the document names nobody, and the operators of the installation decide. */
    readonly people: Roster | null = null,
    base: CompiledPolicy | null = null,
    readonly rotas: ReadonlyMap<string, Rota> = new Map(),
  ) {
    const own = RANKS.map(
      ([decision, isCostly]) =>
        new ToolIndex(rules.filter((rule) => rule.decision === decision && rule.isCostly === isCostly)),
    );
    this.indexes = [...(base?.indexes ?? []), ...own];
    this.vocabulary =
      base?.vocabulary ?? vocabularyOf([CHANGES, ...rules.flatMap(({ mention }) => mention ?? [])]);
  }

  /** The lanes that its chains name. */
  get lanes(): readonly string[] {
    return [...this.classes.values()].flatMap(({ chain }) => (chain ?? []).flatMap(({ lanes }) => lanes));
  }

  /** This policy with rules that allow and are not of the document. */
  with(rules: readonly CompiledRule[]): CompiledPolicy {
    return new CompiledPolicy(this.version, rules, this.classes, this.shapes, this.people, this, this.rotas);
  }

  /**
   * The rules that may match a request: those that deny first, then those that ask, the cheap ones first. So no text is
   * long enough to hide a denial behind the limit that other rules reach.
   */
  *candidates(facts: Facts): Iterable<CompiledRule> {
    for (const index of this.indexes) yield* index.find(facts);
  }
}

const RANKS = (['deny', 'ask', 'allow'] as const).flatMap(
  (decision) =>
    [
      [decision, false],
      [decision, true],
    ] as const,
);

/** A document that `readPolicy` has accepted. */
interface Accepted {
  readonly policy: Policy;
  readonly version: string;
}

export function compilePolicy(accepted: Accepted, shapes: ToolShapes): CompiledPolicy {
  return runAtOnce(compileInSteps(accepted, shapes));
}

/** A step compiles a few rules. */
export function* compileInSteps({ policy, version }: Accepted, shapes: ToolShapes): Steps<CompiledPolicy> {
  const compiled: CompiledRule[] = [];
  for (const rule of policy.rules) {
    compiled.push(compileRule(rule, policy.mode));
    if (compiled.length % RULES_IN_A_STEP === 0) yield;
  }
  const rules = compiled.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const classes = ['normal', 'critical', ...Object.keys(policy.classes ?? {})].map(
    (name): [string, CompiledClass] => {
      const properties = policy.classes?.[name] ?? {};
      const { timeout, grants = name === 'normal', ...demands } = properties;
      const required = requirementOf(properties);
      const timeoutMs = msOf(timeout);
      const needsReason = properties.reason === 'required';
      const chain = compileChain(policy, name);
      return [
        name,
        {
          timeoutMs,
          // A grant is the word of one person, and gives no reason.
          grants: grants && required === null && !needsReason,
          together: demandsOneTap(demands),
          required,
          needsReason,
          chain,
          claimMs: chain && (msOf(properties.claim) ?? CLAIM_MS),
          maximumMs: msOf(properties.maximum),
        },
      ];
    },
  );
  const people = policy.people ? new Roster(policy.people) : null;
  return new CompiledPolicy(version, rules, new Map(classes), shapes, people, null, compileRotas(policy));
}

const msOf = (duration: string | undefined): number | null =>
  duration === undefined ? null : durationMs(duration);

function requirementOf({ approvals = 1, rejections = 1, from, via }: ClassProperties): Requirement | null {
  const isSigned = via === 'console';
  if (approvals === 1 && rejections === 1 && from === undefined && !isSigned) return null;
  return {
    approvals,
    rejections,
    from: from === undefined ? [] : [listOf(from)],
    ...(isSigned && { via }),
  };
}

/** The demands of a class that one tap meets. */
const ONE_TAP: Readonly<Record<string, unknown>> = { approvals: 1, via: 'any' };

/** Properties that say who is asked and how long it may take, and demand nothing of the decision. */
const ASKING: ReadonlySet<string> = new Set(['chain', 'claim', 'maximum']);

/** False for every other demand, so that a new one excludes its class until somebody has thought about it. */
function demandsOneTap(demands: object): boolean {
  return Object.entries(demands).every(
    ([name, value]) => value === undefined || ASKING.has(name) || value === ONE_TAP[name],
  );
}

/** Compiles one rule, for its cases too. `documentMode`: the mode of the document. */
export function compileRule(rule: Rule, documentMode?: Policy['mode']): CompiledRule {
  const { id, decision, match = {}, when, say = null, mode } = rule;
  const use = decision === 'allow' ? 'prove' : 'catch';
  const matchers = compileMatch(match, use);
  if (when !== undefined) matchers.push(compileWhen(when));
  const mention = use === 'catch' && match.command ? compileMention(match.command) : null;
  return {
    id,
    decision,
    isShadow: mode === 'shadow' || documentMode === 'shadow',
    say,
    class: rule.class ?? 'normal',
    mention,
    clue: clueOf(match, mention),
    isCostly: [match.path, match.host, match.input, when].some((member) => member !== undefined),
    tools: match.tool !== undefined && listOf(match.tool).every(isLiteral) ? listOf(match.tool) : null,
    isForTool: match.tool === undefined ? () => true : compileNames(match.tool),
    test: (facts, tokens) => {
      const matches: Match[] = [];
      for (const matcher of matchers) {
        const found = matcher(facts, tokens);
        if (found === false) return false;
        matches.push(found);
      }
      return allOf(matches);
    },
    command:
      decision === 'allow' && match.command
        ? { matcher: match.command, isDirectory: match.cwd === undefined ? null : isDirectory(match.cwd) }
        : null,
    isWhole: false,
  };
}

function isDirectory(list: string | readonly string[]): (directory: ResolvedPath) => boolean {
  const matches = compileDirectories(listOf(list), 'prove');
  return (directory) => matches(directory) === true;
}

const TOO_LARGE: Match = { reason: 'limit', words: 'the input is too large for a condition with a loop' };

function compileWhen(when: string): (facts: Facts) => Match {
  const { test, work } = compileCondition(when);
  return (facts) => {
    facts.spend(10);
    if (work.loops + work.searches + work.scans > 0) {
      const { values, characters } = facts.size();
      if (work.loops > 0 && values + characters > MAX_LOOP_WEIGHT) return TOO_LARGE;
      facts.spend(
        Math.ceil(
          work.loops * (10 * values + characters / 4) +
            work.searches * 2 * values +
            (work.scans * characters) / 4,
        ),
      );
    }
    try {
      return test(facts.context());
    } catch (error) {
      const words = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
      return { reason: 'condition', words: `the condition failed: ${words}` };
    }
  };
}
