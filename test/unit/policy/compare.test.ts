import { diffPolicies } from '../../../src/policy/compare/diff';
import { isWidening, wideningOf } from '../../../src/policy/compare/widening';
import type { Policy, Rule } from '../../../src/policy/document/policy-schema';

const allow: Rule = { id: 'reads', decision: 'allow', match: { key: '*', tool: 'Read' } };
const deny: Rule = { id: 'keys', decision: 'deny', match: { path: '~/.ssh/**' } };
const ask: Rule = { id: 'production', decision: 'ask', class: 'critical' };

const policy = (rules: Rule[], others: Partial<Policy> = {}): Policy => ({ version: 1, rules, ...others });
const critical = (timeout?: string): Partial<Policy> => ({
  classes: { critical: timeout === undefined ? {} : { timeout } },
});

describe('widening', () => {
  const base = policy([allow, deny, ask], { ...critical('15m'), changes: { widening: 2 } });

  it.each<[string, Policy | null, Policy]>([
    ['a new rule that allows', base, { ...base, rules: [...base.rules, { ...allow, id: 'more' }] }],
    [
      'a change of a rule that allows',
      base,
      { ...base, rules: [{ ...allow, match: { key: 'a', tool: 'Read' } }, deny, ask] },
    ],
    ['a change of a rule that denies', base, { ...base, rules: [allow, { ...deny, say: 'No.' }, ask] }],
    ['another decision', base, { ...base, rules: [allow, deny, { id: 'production', decision: 'deny' }] }],
    ['the end of a rule that denies', base, { ...base, rules: [allow, ask] }],
    ['the end of a rule that asks', base, { ...base, rules: [allow, deny] }],
    ['a longer timeout', base, { ...base, ...critical('16m') }],
    ['a timeout that goes', base, { ...base, classes: {} }],
    [
      'a new rule that asks for less than normal does',
      { ...base, classes: { normal: { approvals: 2, from: 'sre' } } },
      {
        ...base,
        classes: { normal: { approvals: 2, from: 'sre' }, lax: { approvals: 2 } },
        rules: [...base.rules, { ...ask, id: 'more', class: 'lax' }],
      },
    ],
    [
      'the end of passkeys',
      { ...base, classes: { critical: { via: 'console' } } },
      { ...base, classes: { critical: {} } },
    ],
    [
      'a new rule that asks for no passkey, where normal does',
      { ...base, classes: { normal: { via: 'console' } } },
      { ...base, classes: { normal: { via: 'console' } }, rules: [...base.rules, { ...ask, id: 'more' }] },
    ],
    ['shadow mode', base, { ...base, mode: 'shadow' }],
    ['the end of shadow mode', { ...base, mode: 'shadow' }, base],
    ['changes itself', base, { ...base, changes: { widening: 1 } }],
    ['changes made stricter', { ...base, changes: {} }, base],
    ['a first policy that allows', null, policy([allow])],
    ['a first policy in shadow', null, policy([], { mode: 'shadow' })],
  ])('is %s', (_, active, next) => {
    expect(isWidening(active, next)).toBe(true);
  });

  it.each<[string, Policy | null, Policy]>([
    ['no change', base, structuredClone(base)],
    [
      'another order of rules and members',
      base,
      { ...base, rules: [ask, { match: { tool: 'Read', key: '*' }, decision: 'allow', id: 'reads' }, deny] },
    ],
    ['a new rule that denies', base, { ...base, rules: [...base.rules, { ...deny, id: 'more' }] }],
    [
      'a new rule that asks, with its class',
      base,
      {
        ...base,
        classes: { ...base.classes, urgent: {} },
        rules: [...base.rules, { ...ask, id: 'more', class: 'urgent' }],
      },
    ],
    ['the end of a rule that allows', base, { ...base, rules: [deny, ask] }],
    ['a shorter timeout', base, { ...base, ...critical('900s') }],
    [
      'a default that is written',
      base,
      { ...base, classes: { critical: { timeout: '15m', approvals: 1, grants: false } } },
    ],
    ['a first policy that denies', null, policy([deny])],
    [
      'a class that asks for passkeys',
      { ...base, classes: { critical: {} } },
      { ...base, classes: { critical: { via: 'console' } } },
    ],
    ['the end of grants', base, { ...base, classes: { ...base.classes, normal: { grants: false } } }],
  ])('is not %s', (_, active, next) => {
    expect(wideningOf(active, next)).toEqual([]);
  });

  it('is a class that has grants again', () => {
    const closed = { ...base, classes: { ...base.classes, normal: { grants: false } } };
    expect(wideningOf(closed, base)).toEqual(['class normal is not tighter']);
  });

  it('names its reasons', () => {
    expect(wideningOf(policy([deny]), policy([allow], { mode: 'shadow' }))).toEqual([
      'rule reads (allow) is new',
      'rule keys (deny) is removed',
      'mode is shadow now',
    ]);
  });
});

describe('diff', () => {
  it('compares rule by rule', () => {
    const changed = { ...deny, say: 'No.', match: { path: '~/.ssh/*' } };
    expect(
      diffPolicies(policy([allow, deny, ask]), policy([ask, changed, { ...allow, id: 'more' }])),
    ).toEqual({
      added: [{ ...allow, id: 'more' }],
      removed: [allow],
      changed: [{ id: 'keys', before: deny, after: changed, members: ['match', 'say'] }],
      others: [],
    });
  });

  it('names the other members that differ', () => {
    expect(diffPolicies(policy([]), policy([], { ...critical('15m'), mode: 'shadow' })).others).toEqual([
      { member: 'mode', before: 'enforce', after: 'shadow' },
      { member: 'classes.critical', before: null, after: { timeout: '15m' } },
    ]);
    const people = (name: string) => ({ people: { [name]: { groups: ['sre'] } } });
    expect(diffPolicies(policy([], people('olivia')), policy([], people('mallory'))).others).toMatchObject([
      { member: 'people.olivia', after: null },
      { member: 'people.mallory', before: null },
    ]);
  });
});
