import { strictest, type Requirement } from '../../kernel/requirement';
import type { Chain } from '../../kernel/chain';
import { TooLongToMatch } from '../matchers/glob';
import type { Doubt, Match } from '../matchers/match';
import { prove, type Candidate, type Proof } from '../shell/prove';
import type { CompiledPolicy, CompiledRule } from './compile-policy';
import { Facts, TooManySteps } from './facts';
import { isInteractive } from './interactive';
import type { PolicyRequest } from './policy-request';

/** The answer of the rules. */
export interface Ruling {
  readonly decision: 'allow' | 'deny' | 'ask';
  /** The rules that it rests on, sorted; none if no rule matches. */
  readonly rules: readonly string[];
  /** The class of a request that is asked; null for others. */
  readonly class: string | null;
  /** The timeout of the class; null: that of the installation. */
  readonly timeoutMs: number | null;
  /** The decisions that its classes need; null: one of anybody who decides. */
  readonly required: Requirement | null;
  /** True if one of its classes demands a reason of each decision. */
  readonly needsReason: boolean;
  /** Those who are asked one after the other; null: the one destination of the installation. */
  readonly chain: Chain | null;
  /** The time for which a claim delays the chain; null: there is no chain. */
  readonly claimMs: number | null;
  /** The longest time until it ends if people give it more; null: that of the installation. */
  readonly maximumMs: number | null;
  /** The words of the command that matched. */
  readonly tokens: readonly string[];
  /** The words of a denial. */
  readonly say: string | null;
  /** The reason why no rule could allow; null if there is none. */
  readonly doubt: Doubt | null;
}

export interface Verdict extends Ruling {
  readonly version: string;
  /** The ruling if shadow rules were enforced; null if it would be the same. */
  readonly shadow: Ruling | null;
}

/** A rule that matches, or may. */
interface Found {
  readonly rule: CompiledRule;
  readonly match: Exclude<Match, false>;
  readonly tokens: readonly string[];
}

/**
 * Decides a request by a policy: deny before ask before allow, over all rules that match, whatever their order. Without a
 * match it asks, and so does every doubt. Pure: the time is an argument, and the number of steps is bounded.
 */
export function evaluate(policy: CompiledPolicy, request: PolicyRequest, now: Date): Verdict {
  const { version } = policy;
  try {
    const shape = policy.shapes.get(request.toolName) ?? null;
    const facts = new Facts(request, shape, now, policy.vocabulary);
    const found = Array.from(policy.candidates(facts), (rule) => findRule(rule, facts))
      .flat()
      .toSorted((a, b) => (a.rule.id < b.rule.id ? -1 : 1));
    const enforced = found.filter(({ rule }) => !rule.isShadow);
    const ruling = rule(policy, enforced, facts);
    const hasShadow = enforced.length < found.length;
    const shadow = hasShadow ? rule(policy, found, facts) : null;
    return { ...ruling, version, shadow: shadow && isSame(ruling, shadow) ? null : shadow };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const reason = error instanceof TooManySteps || error instanceof TooLongToMatch ? 'limit' : 'error';
    return { ...ask(policy, [], { reason, words }), version, shadow: null };
  }
}

/**
 * True if the rules have a say about a tool that only reads, which else is left to the agent: one that denies, or one that
 * asks and names the tool, matches the request or may. Rules that ask about everything in a place are not meant for it.
 */
export function restricts(policy: CompiledPolicy, request: PolicyRequest, now: Date): boolean {
  try {
    const facts = new Facts(request, policy.shapes.get(request.toolName) ?? null, now, policy.vocabulary);
    return Array.from(policy.candidates(facts)).some((rule) => {
      const hasSay = rule.decision === 'deny' || (rule.decision === 'ask' && rule.tools !== null);
      return hasSay && !rule.isShadow && findRule(rule, facts).length > 0;
    });
  } catch {
    return true;
  }
}

function findRule(rule: CompiledRule, facts: Facts): Found[] {
  if (!rule.isForTool(facts.request.toolName)) return [];
  const tokens: string[] = [];
  const match = testRule(rule, facts, tokens);
  return match === false ? [] : [{ rule, match, tokens }];
}

/** A failure is a doubt about this rule: others may still deny. */
function testRule(rule: CompiledRule, facts: Facts, tokens: string[]): Match {
  try {
    return rule.test(facts, tokens);
  } catch (error) {
    if (error instanceof TooManySteps) return { reason: 'limit', words: error.message };
    const words = error instanceof Error ? error.message : String(error);
    return {
      reason: error instanceof TooLongToMatch ? 'limit' : 'error',
      words: `rule ${rule.id}: ${words}`,
    };
  }
}

function rule(policy: CompiledPolicy, found: readonly Found[], facts: Facts): Ruling {
  const matching = (decision: CompiledRule['decision']) =>
    found.filter(
      ({ rule: { decision: own }, match }) => own === decision && (match === true || match === 'missing'),
    );

  const denies = matching('deny');
  if (denies.length > 0) return deny(denies);
  const asks = matching('ask');
  const interactive = isInteractive(facts);
  const doubtful = found.filter(
    ({ rule: { decision }, match }) => decision !== 'allow' && typeof match === 'object',
  );
  if (asks.length > 0 || doubtful.length > 0 || interactive) {
    // A rule that may ask gives its class: a request that cannot be read must not leave it.
    const classes = doubtful.flatMap(({ rule: own }) => (own.decision === 'ask' ? own.class : []));
    return ask(policy, asks, doubtOf(doubtful[0]), [...classes, ...(interactive ? ['critical'] : [])]);
  }
  return allow(policy, found, facts);
}

function deny(found: readonly Found[]): Ruling {
  const says = found.flatMap(({ rule: { say } }) => say ?? []);
  return {
    decision: 'deny',
    ...evidence(found),
    class: null,
    timeoutMs: null,
    required: null,
    needsReason: false,
    chain: null,
    claimMs: null,
    maximumMs: null,
    say: says.length === 0 ? null : [...new Set(says)].join(' '),
    doubt: null,
  };
}

function ask(
  policy: CompiledPolicy,
  asks: readonly Found[],
  doubt: Doubt | null,
  others: readonly string[] = [],
): Ruling {
  // What no rule puts in a class has the demands of `normal`, whatever the request adds to it.
  const own = asks.length === 0 ? ['normal'] : asks.map(({ rule }) => rule.class);
  const names = new Set([...own, ...others]);
  const classes = [...names].flatMap((name) => policy.classes.get(name) ?? []);
  const [first] = [...names].toSorted(compareClasses);
  const asking = first === undefined ? undefined : policy.classes.get(first);
  return {
    decision: 'ask',
    ...evidence(asks),
    class: first ?? 'normal',
    timeoutMs: shortest(classes.map(({ timeoutMs }) => timeoutMs)),
    required: strictest(classes.flatMap(({ required }) => required ?? [])),
    needsReason: classes.some(({ needsReason }) => needsReason),
    chain: asking?.chain ?? null,
    claimMs: asking?.claimMs ?? null,
    maximumMs: shortest(classes.map(({ maximumMs }) => maximumMs)),
    say: null,
    doubt,
  };
}

/** Null: none of them says. */
function shortest(times: readonly (number | null)[]): number | null {
  const given = times.flatMap((time) => time ?? []);
  return given.length === 0 ? null : Math.min(...given);
}

/** Critical first, normal last, and the others by name between them. */
function compareClasses(a: string, b: string): number {
  const rank = (name: string) => (name === 'critical' ? 0 : name === 'normal' ? 2 : 1);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

/** Allows what is proven; asks for everything else, with the reason if a rule was meant to allow. */
function allow(policy: CompiledPolicy, found: readonly Found[], facts: Facts): Ruling {
  const meant = found.filter(({ rule: { decision } }) => decision === 'allow');
  if (meant.length === 0) return ask(policy, [], null);
  const obstacle = facts.obstacle();
  if (obstacle) return ask(policy, [], obstacle);

  const allowed = {
    decision: 'allow',
    class: null,
    timeoutMs: null,
    required: null,
    needsReason: false,
    chain: null,
    claimMs: null,
    maximumMs: null,
    say: null,
    doubt: null,
  } as const;
  const certain = meant.filter(({ match }) => match === true);
  const asked = certain.filter(({ rule: { isWhole } }) => isWhole);
  if (asked.length > 0) return { ...allowed, ...evidence(asked) };
  const doubt = doubtOf(meant.find(({ match }) => typeof match === 'object'));
  if (!facts.has('command')) {
    // A rule that names a command says nothing about a tool that has none.
    const whole = certain.filter(({ rule: { command } }) => command === null);
    return whole.length > 0 ? { ...allowed, ...evidence(whole) } : ask(policy, [], doubt);
  }
  const proof = proveCommand(certain, facts);
  if (proof?.allowed) return { ...allowed, rules: proof.rules.toSorted(), tokens: proof.tokens };
  const unproven: Doubt | null = proof?.doubt
    ? { reason: 'command', words: `the command has this: ${proof.doubt}` }
    : null;
  return ask(policy, [], unproven ?? doubt);
}

function proveCommand(certain: readonly Found[], facts: Facts): Proof | null {
  const command = facts.command();
  if (command === null) return null;
  const candidates = certain.flatMap(({ rule: { id, command: own } }): Candidate[] => {
    if (own === null) return [];
    const { matcher, isDirectory } = own;
    return [
      { rule: id, matcher, cwd: isDirectory && ((directory) => isDirectory(facts.directory(directory))) },
    ];
  });
  return prove(command, candidates, facts.start);
}

function doubtOf(found: Found | undefined): Doubt | null {
  return found && typeof found.match === 'object' ? found.match : null;
}

function evidence(found: readonly Found[]): Pick<Ruling, 'rules' | 'tokens'> {
  return {
    rules: found.map(({ rule: { id } }) => id),
    tokens: [...new Set(found.flatMap(({ tokens }) => tokens))],
  };
}

function isSame(a: Ruling, b: Ruling): boolean {
  return a.decision === b.decision && a.class === b.class && a.rules.join() === b.rules.join();
}
