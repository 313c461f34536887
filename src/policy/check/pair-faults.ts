import { canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import type { Fault } from '../document/finding';
import { listOf, type Rule, type RuleMatch } from '../document/policy-schema';

/** Values that are compared: each rule is compared with each, and 2 000 usual ones stay below. */
const MAX_COMPARED = 60_000_000;

/** Faults of rules against each other: contradictions, and rules that have no effect because of others. */
export function pairFaults(rules: readonly Rule[]): Fault[] {
  const forms = rules.map((rule) => ({ rule, form: formOf(rule) }));
  let compared = 0;
  const covers = (wide: Form, narrow: Form): boolean => {
    compared += 1;
    return isCovered(narrow, wide, (values) => (compared += values));
  };
  const faults = forms.flatMap(({ rule, form }, index) => {
    const stronger = forms.find(({ rule: other, form: wide }, at) => {
      if (compared > MAX_COMPARED) return false;
      if (at === index || other.mode === 'shadow' || !covers(wide, form)) return false;
      if (other.decision !== rule.decision) return STRENGTH[other.decision] > STRENGTH[rule.decision];
      // Of two equal rules, the first counts. Two that ask may have different classes.
      const isDuplicate = at < index || !covers(form, wide);
      return isDuplicate && rule.class === other.class && rule.say === other.say;
    });
    return stronger ? [describe(rule, stronger.rule, index, isEqual(form, stronger.form))] : [];
  });
  return compared > MAX_COMPARED ? [...faults, TOO_MANY] : faults;
}

const TOO_MANY: Fault = {
  severity: 'warning',
  path: ['rules'],
  message: 'There are too many rules with long lists to compare each with each other.',
  fix: 'Look for rules that repeat or contradict others, or write fewer: globs match many values.',
};

const STRENGTH = { allow: 0, ask: 1, deny: 2 } as const;

function describe(rule: Rule, other: Rule, index: number, isSame: boolean): Fault {
  const at = { path: ['rules', index, 'id'] } as const;
  if (rule.decision === other.decision) {
    return {
      ...at,
      severity: 'warning',
      message: `Rule "${other.id}" ${rule.decision}s everything that this rule does.`,
      fix: 'Remove one of the two.',
    };
  }
  const verb = other.decision === 'deny' ? 'denies' : 'asks for';
  return {
    ...at,
    severity: rule.decision === 'allow' ? 'error' : 'warning',
    message: isSame
      ? `Rule "${other.id}" contradicts: it ${verb} exactly what this rule would ${rule.decision}.`
      : `The rule has no effect: rule "${other.id}" ${verb} everything that it matches.`,
    fix: `Remove one of the two, or narrow "${other.id}".`,
  };
}

/** Each matcher in canonical form: its values, or one value that only equals itself. */
type Form = ReadonlyMap<string, ReadonlySet<string>>;

function formOf({ match = {}, when }: Rule): Form {
  const form = new Map<string, ReadonlySet<string>>();
  for (const [member, value] of Object.entries(match) as [keyof RuleMatch, JsonValue | undefined][]) {
    if (value === undefined) continue;
    const isList = typeof value === 'string' || Array.isArray(value);
    form.set(
      member,
      new Set((isList ? listOf(value as string | string[]) : [value]).map((one) => canonicalize(one))),
    );
  }
  if (when !== undefined) form.set('when', new Set([when]));
  return form;
}

/** True if everything that the narrow rule matches, the wide one matches too, as far as the text shows. */
function isCovered(narrow: Form, wide: Form, count: (values: number) => void): boolean {
  for (const [member, values] of wide) {
    if (member === 'except') {
      if (!isSameSet(values, narrow.get(member))) return false;
      continue;
    }
    if (values.has('"*"')) continue;
    const own = narrow.get(member);
    count(own?.size ?? 0);
    if (own === undefined || ![...own].every((value) => values.has(value))) return false;
  }
  return true;
}

function isEqual(a: Form, b: Form): boolean {
  const others = (form: Form) =>
    [...form].filter(([member, values]) => !(member === 'key' && values.has('"*"')));
  return (
    others(a).length === others(b).length &&
    others(a).every(([member, values]) => isSameSet(values, b.get(member)))
  );
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string> | undefined): boolean {
  return b?.size === a.size && [...a].every((value) => b.has(value));
}
