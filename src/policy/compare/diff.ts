import { canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import type { Policy, Rule } from '../document/policy-schema';

/** The differences of two documents. The order of rules is none: it has no meaning. */
export interface PolicyDiff {
  readonly added: readonly Rule[];
  readonly removed: readonly Rule[];
  readonly changed: readonly {
    readonly id: string;
    readonly before: Rule;
    readonly after: Rule;
    /** The members that differ. */
    readonly members: readonly string[];
  }[];
  /** Members of the document other than rules that differ, such as `classes.critical`. */
  readonly others: readonly {
    readonly member: string;
    readonly before: JsonValue;
    readonly after: JsonValue;
  }[];
}

/** Compares two documents rule by rule. */
export function diffPolicies(before: Policy, after: Policy): PolicyDiff {
  const old = new Map(before.rules.map((rule) => [rule.id, rule]));
  const current = new Map(after.rules.map((rule) => [rule.id, rule]));
  return {
    added: after.rules.filter(({ id }) => !old.has(id)),
    removed: before.rules.filter(({ id }) => !current.has(id)),
    changed: after.rules.flatMap((rule) => {
      const own = old.get(rule.id);
      const members = own === undefined ? [] : membersThatDiffer(own, rule);
      return own === undefined || members.length === 0
        ? []
        : [{ id: rule.id, before: own, after: rule, members }];
    }),
    others: othersOf(before, after),
  };
}

function othersOf(before: Policy, after: Policy): PolicyDiff['others'] {
  const [a, b] = [flatten(before), flatten(after)];
  return membersThatDiffer(a, b).map((member) => ({
    member,
    before: a[member] ?? null,
    after: b[member] ?? null,
  }));
}

/** The members of a document other than its rules. What has names, such as classes and people, has one member for each. */
function flatten({ mode = 'enforce', changes = {}, ...others }: Policy): Record<string, JsonValue> {
  const named = Object.entries(others)
    .filter(([member]) => member !== 'rules' && member !== 'version')
    .flatMap(([member, values]) =>
      Object.entries(values as Record<string, JsonValue>).map(([name, value]) => [
        `${member}.${name}`,
        value,
      ]),
    );
  return { mode, ...(Object.fromEntries(named) as Record<string, JsonValue>), changes: changes as JsonValue };
}

function membersThatDiffer(a: object, b: object): string[] {
  const form = (object: object, name: string) => {
    const value = (object as Record<string, JsonValue | undefined>)[name];
    return value === undefined ? '' : canonicalize(value);
  };
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (name) => form(a, name) !== form(b, name),
  );
}
