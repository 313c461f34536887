import { canonicalize } from '../../kernel/canonical-json';
import type { Policy, Rule } from '../document/policy-schema';
import { CompiledPolicy, compilePolicy, compileRule, type CompiledRule } from '../evaluation/compile-policy';
import { evaluate } from '../evaluation/evaluate';
import type { PolicyRequest } from '../evaluation/policy-request';
import { memberOf, type ToolShapes } from '../tool-shapes';
import { groupBy, type Candidate } from './candidate';
import { commandsOf, findCommandCandidates } from './command-candidates';
import type { DecidedRequest } from './decided-request';
import { findHostCandidates, findPathCandidates, findToolCandidates } from './input-candidates';

/** Bounds of the work: a suggestion takes a few evaluations of each distinct approval, the most frequent first. */
const MAX_DISTINCT = 5_000;
const MAX_CANDIDATES = 100;

/** Equal requests. */
interface Repeated extends DecidedRequest {
  readonly count: number;
  readonly commands: ReadonlySet<string>;
}

/** The history, played against the policy and rules that may be added to it. */
export class Replay {
  private readonly base: CompiledPolicy;
  private readonly compiled = new Map<Rule, CompiledRule>();
  private undecided: readonly Repeated[];
  private readonly rejected: readonly Repeated[];
  readonly approvals: number;
  /** Approvals that the policy alone allows. */
  readonly allowedBefore: number;

  constructor(
    history: readonly DecidedRequest[],
    private readonly shapes: ToolShapes,
    policy: Policy,
  ) {
    this.base = compilePolicy({ policy, version: '' }, shapes);
    const catching = this.with(this.base.rules.filter(({ decision }) => decision !== 'allow'));
    const isCaught = ({ request, at }: DecidedRequest) => {
      const { decision, rules, doubt } = evaluate(catching, request, at);
      return decision === 'deny' || rules.length > 0 || doubt !== null;
    };
    this.rejected = history
      .filter((decided) => decided.verdict === 'rejected' && !isCaught(decided))
      .map((decided) => this.repeat(decided, 1));
    const approved = this.unite(history.filter(({ verdict }) => verdict === 'approved'));
    this.approvals = countOf(approved);
    const isAllowed = this.compile([]);
    const uncaught = approved.filter((repeated) => !isCaught(repeated));
    this.allowedBefore = countOf(uncaught.filter(isAllowed));
    this.undecided = uncaught
      .filter((repeated) => !isAllowed(repeated))
      .toSorted((a, b) => b.count - a.count)
      .slice(0, MAX_DISTINCT);
  }

  /** Candidates for the approvals that are not allowed yet; the ids are new to the policy. */
  candidates(): Candidate[] {
    const { shapes } = this;
    const approved = this.undecided.flatMap(({ request, count }) =>
      Array.from({ length: count }, () => request),
    );
    const rejected = this.rejected.map(({ request }) => request);
    const lines = approved.flatMap((request) => {
      const member = this.commandOf(request.toolName);
      return member === null ? [] : [{ request, text: request.toolInput[member] }];
    });
    const ids = new Set(this.base.rules.map(({ id }) => id));
    return [
      ...[...groupBy(lines, ({ request }) => request.toolName)].flatMap(([tool, uses]) =>
        findCommandCandidates(tool, uses),
      ),
      ...findPathCandidates(approved, rejected, shapes),
      ...findHostCandidates(approved, shapes),
      ...findToolCandidates(approved, rejected, shapes),
    ]
      .slice(0, MAX_CANDIDATES)
      .map((candidate) => ({ ...candidate, rule: { ...candidate.rule, id: newId(candidate.rule.id, ids) } }));
  }

  /** Number of open approvals that these rules allow with the candidate. */
  gain(rules: readonly Rule[], candidate: Candidate): number {
    const isAllowed = this.compile([...rules, candidate.rule]);
    return countOf(this.undecided.filter((repeated) => concerns(candidate, repeated) && isAllowed(repeated)));
  }

  /** The candidates whose gain this one may change: those that concern an approval that it concerns too. */
  neighbours(candidate: Candidate, others: readonly Candidate[]): readonly Candidate[] {
    const shared = this.undecided.filter((repeated) => concerns(candidate, repeated));
    return others.filter((other) => shared.some((repeated) => concerns(other, repeated)));
  }

  /** True if these rules, which allow no rejection, would allow one with the candidate. */
  allowsRejected(rules: readonly Rule[], candidate: Candidate): boolean {
    const isAllowed = this.compile([...rules, candidate.rule]);
    return this.rejected.some((repeated) => concerns(candidate, repeated) && isAllowed(repeated));
  }

  /** Closes the approvals that these rules allow, the last of which is the candidate's. */
  settle(rules: readonly Rule[], candidate: Candidate): void {
    const isAllowed = this.compile(rules);
    this.undecided = this.undecided.filter(
      (repeated) => !(concerns(candidate, repeated) && isAllowed(repeated)),
    );
  }

  /** No rule that denies or asks catches the requests that are left, so the rules that allow decide. */
  private compile(rules: readonly Rule[]): (decided: DecidedRequest) => boolean {
    const own = this.base.rules.filter(({ decision }) => decision === 'allow');
    const compiled = this.with([...own, ...rules.map((rule) => this.compileOnce(rule))]);
    return ({ request, at }) => evaluate(compiled, request, at).decision === 'allow';
  }

  private with(rules: readonly CompiledRule[]): CompiledPolicy {
    return new CompiledPolicy('', rules, this.base.classes, this.shapes);
  }

  private compileOnce(rule: Rule): CompiledRule {
    const compiled = this.compiled.get(rule) ?? compileRule(rule);
    this.compiled.set(rule, compiled);
    return compiled;
  }

  private unite(history: readonly DecidedRequest[]): Repeated[] {
    const groups = groupBy(history, ({ request: { toolName, toolInput, cwd, key } }) =>
      canonicalize({ toolName, toolInput, cwd, key }),
    );
    return [...groups.values()].flatMap(([first, ...others]) =>
      first === undefined ? [] : [this.repeat(first, 1 + others.length)],
    );
  }

  private repeat(decided: DecidedRequest, count: number): Repeated {
    return { ...decided, count, commands: this.wordsOf(decided.request) };
  }

  private wordsOf({ toolName, toolInput }: PolicyRequest): ReadonlySet<string> {
    const member = this.commandOf(toolName);
    return new Set(member === null ? [] : commandsOf(toolInput[member]).map(({ words: [name] }) => name));
  }

  private commandOf(toolName: string): string | null {
    const shape = this.shapes.get(toolName);
    return shape === undefined ? null : memberOf(shape, 'command');
  }
}

function concerns({ tools, command }: Candidate, { request, commands }: Repeated): boolean {
  return tools.has(request.toolName) && (command === null || commands.has(command));
}

function countOf(requests: readonly Repeated[]): number {
  return requests.reduce((sum, { count }) => sum + count, 0);
}

function newId(id: string, taken: Set<string>): string {
  let free = id;
  for (let n = 2; taken.has(free); n += 1) free = `${id}-${n}`;
  taken.add(free);
  return free;
}
