import { canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import { durationMs } from '../document/duration';
import { BUILT_IN_CLASSES, type ClassProperties, type Policy, type Rule } from '../document/policy-schema';

/**
 * The reasons why a change widens a policy; empty for one that does not. It compares the text of the documents, not their
 * meaning: every change widens but a new rule that denies, a new rule that asks for no less than `normal` does, the end of a
 * rule that allows, and a tighter class.
 *
 * @param active null: no policy was ever applied, and everything asks
 */
export function wideningOf(active: Policy | null, next: Policy): string[] {
  const before = active ?? { version: 1, rules: [] };
  return [...ruleReasons(before, next), ...classReasons(before, next), ...otherReasons(before, next)];
}

/** True if a second person must agree, where the active version says so. */
export function isWidening(active: Policy | null, next: Policy): boolean {
  return wideningOf(active, next).length > 0;
}

function ruleReasons(before: Policy, next: Policy): string[] {
  const old = new Map(before.rules.map((rule) => [rule.id, rule]));
  const added = next.rules.filter(({ id, decision }) => !old.has(id) && decision === 'allow');
  const changed = next.rules.filter((rule) => old.has(rule.id) && !isSame(old.get(rule.id), rule));
  const kept = new Set(next.rules.map(({ id }) => id));
  const removed = before.rules.filter(({ id, decision }) => !kept.has(id) && decision !== 'allow');
  const describe =
    (verb: string) =>
    ({ id, decision }: Rule) =>
      `rule ${id} (${decision}) is ${verb}`;
  const weak = next.rules.filter(
    (rule) =>
      !old.has(rule.id) && rule.decision === 'ask' && demandsLess(before, next, rule.class ?? 'normal'),
  );
  return [
    ...added.map(describe('new')),
    ...weak.map(describe('new, and its class demands less than normal did')),
    ...changed.map(describe('changed')),
    ...removed.map(describe('removed')),
  ];
}

/** A class that is new decides nothing that was decided before. */
function classReasons(before: Policy, next: Policy): string[] {
  const names = new Set([...Object.keys(before.classes ?? {}), ...Object.keys(next.classes ?? {})]);
  return [...names]
    .filter((name) => BUILT_IN_CLASSES.has(name) || before.classes?.[name] !== undefined)
    .filter((name) => !isTighterOrSame(propertiesOf(before, name), propertiesOf(next, name)))
    .map((name) => `class ${name} is not tighter`);
}

function propertiesOf({ classes }: Policy, name: string): ClassProperties {
  return { approvals: 1, grants: name === 'normal', via: 'any', ...classes?.[name] };
}

/** True if a request of the class may be decided more easily than one of `normal` could be before. */
function demandsLess(before: Policy, next: Policy, name: string): boolean {
  const { from, ...normal } = demandsOf(before, 'normal');
  const { from: own, ...others } = demandsOf(next, name);
  return !(from === undefined || isSame(from, own ?? null)) || !isTighterOrSame(normal, others);
}

const DEMANDS: ReadonlySet<string> = new Set(['approvals', 'from', 'rejections', 'via', 'reason', 'grants']);

/** The properties of a class that say what a decision needs. */
function demandsOf(policy: Policy, name: string): ClassProperties {
  return Object.fromEntries(
    Object.entries(propertiesOf(policy, name)).filter(([member]) => DEMANDS.has(member)),
  );
}

/** True if every property is the same or gives less. */
function isTighterOrSame(before: ClassProperties, next: ClassProperties): boolean {
  const {
    timeout: old,
    grants: granted,
    approvals: few = 1,
    reason: explained,
    via: way,
    ...othersBefore
  } = before;
  const { timeout, grants, approvals = 1, reason, via, ...others } = next;
  if (explained !== undefined && reason === undefined) return false;
  if (grants === true && granted === false) return false;
  if (approvals < few) return false;
  if (way === 'console' && via !== 'console') return false;
  if (!isSame(othersBefore, others)) return false;
  // The timeout of the installation is not known here, so one that comes or goes is not known to be shorter.
  if (old === undefined || timeout === undefined) return old === timeout;
  return (durationMs(timeout) ?? Infinity) <= (durationMs(old) ?? 0);
}

function otherReasons(before: Policy, next: Policy): string[] {
  const reasons: string[] = [];
  if ((before.mode ?? 'enforce') !== (next.mode ?? 'enforce'))
    reasons.push(`mode is ${next.mode ?? 'enforce'} now`);
  if ((before.changes?.widening ?? 1) !== (next.changes?.widening ?? 1)) reasons.push('changes is changed');
  if (!isSame(before.people ?? null, next.people ?? null)) reasons.push('people is changed');
  for (const member of ['destinations', 'chains'] as const)
    if (!isSame(before[member] ?? null, next[member] ?? null)) reasons.push(`${member} is changed`);
  return reasons;
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalize(a as JsonValue) === canonicalize(b as JsonValue);
}
