import type { FixedBeginning, PatternUse } from '../matchers/path-pattern';
import { hostsOf, labelOf, pathsOf, wordsOf, type Clue, type Label } from './clues';
import type { AskedPath, Facts } from './facts';

interface Indexed {
  readonly decision: 'allow' | 'deny' | 'ask';
  readonly clue: Clue | null;
  readonly tools: readonly string[] | null;
}

/** Finds the rules of one decision that may match a request, in a time that does not grow with the number of the others. */
export class ToolIndex<Rule extends Indexed> {
  private readonly general: ClueIndex<Rule>;
  private readonly byTool: ReadonlyMap<string, ClueIndex<Rule>>;

  constructor(rules: readonly Rule[]) {
    const use = rules[0]?.decision === 'allow' ? 'prove' : 'catch';
    const named = new Map<string, Rule[]>();
    for (const rule of rules) for (const tool of new Set(rule.tools)) push(named, tool, rule);
    this.general = new ClueIndex(
      rules.filter(({ tools }) => tools === null),
      use,
    );
    this.byTool = new Map(Array.from(named, ([tool, own]) => [tool, new ClueIndex(own, use)]));
  }

  /** Every rule that matches, or is in doubt, is among them. */
  *find(facts: Facts): Iterable<Rule> {
    yield* this.general.find(facts);
    const named = this.byTool.get(facts.request.toolName);
    if (named) yield* named.find(facts);
  }
}

class ClueIndex<Rule extends Indexed> {
  private readonly always: Rule[] = [];
  private readonly labels = new Map<Label, Prefixes<Rule>>();
  private readonly words = new Map<string, Rule[]>();
  private readonly hosts = new Map<string, Rule[]>();
  private readonly paths = new Paths<Rule>();
  /** Rules by the kind of their clue. */
  private readonly all = new Map<Clue['kind'], Rule[]>();

  constructor(
    rules: readonly Rule[],
    private readonly use: PatternUse,
  ) {
    for (const rule of rules) this.add(rule);
  }

  find(facts: Facts): Iterable<Rule> {
    if (this.all.size === 0) return this.always;
    const found = new Set(this.always);
    for (const [kind, rules] of this.all) {
      if (!this.search(kind, facts, found)) for (const rule of rules) found.add(rule);
    }
    return found;
  }

  private add(rule: Rule): void {
    const { clue } = rule;
    if (clue === null) return void this.always.push(rule);
    push(this.all, clue.kind, rule);
    if (clue.kind === 'path') {
      clue.values.forEach((value) => this.paths.add(value, rule));
      return;
    }
    for (const value of clue.values) {
      if (clue.kind === 'word') push(this.words, value, rule);
      else if (clue.kind === 'host') push(this.hosts, value, rule);
      else this.labelled(clue.kind).add(value, rule);
    }
  }

  private labelled(label: Label): Prefixes<Rule> {
    const known = this.labels.get(label) ?? new Prefixes<Rule>();
    this.labels.set(label, known);
    return known;
  }

  /** Adds the rules that the request has a value for; false: every one may match. */
  private search(kind: Clue['kind'], facts: Facts, found: Set<Rule>): boolean {
    if (kind === 'path') return each(pathsOf(facts, this.use), (path) => this.paths.find(path, found));
    if (kind === 'word') return each(wordsOf(facts), (word) => addAll(found, this.words.get(word)));
    if (kind === 'host')
      return each(hostsOf(facts, this.use), (host) => {
        for (let at = 0; at >= 0; at = host.indexOf('.', at) + 1 || -1)
          addAll(found, this.hosts.get(host.slice(at)));
      });
    const label = labelOf(kind, facts);
    return each(label === null ? null : [label], (name) => this.labels.get(kind)?.find(name, found));
  }
}

/** Rules by the beginning of a name. */
class Prefixes<Rule> {
  private readonly rules = new Map<string, Rule[]>();
  private readonly lengths = new Set<number>();

  add(beginning: string, rule: Rule): void {
    this.lengths.add(beginning.length);
    push(this.rules, beginning, rule);
  }

  find(name: string, found: Set<Rule>): void {
    for (const length of this.lengths) addAll(found, this.rules.get(name.slice(0, length)));
  }
}

interface Directory<Rule> {
  readonly rules: Rule[];
  readonly children: Map<string, Directory<Rule>>;
}

/** Rules by the directory with which their paths begin, or by a name anywhere in them. */
class Paths<Rule> {
  private readonly root: Directory<Rule> = { rules: [], children: new Map() };
  private readonly anywhere = new Map<string, Rule[]>();

  add(beginning: FixedBeginning, rule: Rule): void {
    if ('anywhere' in beginning) {
      push(this.anywhere, beginning.anywhere, rule);
      return;
    }
    let directory = this.root;
    for (const segment of beginning.segments) {
      const child = directory.children.get(segment) ?? { rules: [], children: new Map() };
      directory.children.set(segment, child);
      directory = child;
    }
    directory.rules.push(rule);
  }

  find({ path, isTree }: AskedPath, found: Set<Rule>): void {
    for (const parts of path.spellings) {
      if (this.anywhere.size > 0) for (const part of parts) addAll(found, this.anywhere.get(part));
      let directory: Directory<Rule> | undefined = this.root;
      for (const [at, part] of parts.entries()) {
        // The path of a root has an empty part at its end.
        if (isTree && part === '' && at > 0 && at === parts.length - 1) addBelow(found, directory);
        directory = directory.children.get(part);
        if (directory === undefined) break;
        addAll(found, directory.rules);
      }
      if (isTree && directory) addBelow(found, directory);
    }
  }
}

function addBelow<Rule>(found: Set<Rule>, { children }: Directory<Rule>): void {
  for (const child of children.values()) {
    addAll(found, child.rules);
    addBelow(found, child);
  }
}

function addAll<Rule>(found: Set<Rule>, rules: readonly Rule[] | undefined): void {
  if (rules !== undefined) for (const rule of rules) found.add(rule);
}

/** @returns false without values */
function each<T>(values: Iterable<T> | null, work: (value: T) => void): boolean {
  if (values === null) return false;
  for (const value of values) work(value);
  return true;
}

function push<Key, Rule>(map: Map<Key, Rule[]>, key: Key, rule: Rule): void {
  const known = map.get(key);
  if (known) known.push(rule);
  else map.set(key, [rule]);
}
