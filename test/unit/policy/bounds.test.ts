import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { checkPolicy } from '../../../src/policy/check/check-policy';
import { pairFaults } from '../../../src/policy/check/pair-faults';
import type { Rule } from '../../../src/policy/document/policy-schema';
import { readPolicy } from '../../../src/policy/document/read-policy';
import { documentOf } from '../../support/policy-scene';

const check = (text: string) => checkPolicy(text, TOOL_SHAPES);
const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

/** Half of the rules write a directory, half run a script of npm. */
const writersAndRunners = (count: number) =>
  documentOf(
    Array.from({ length: count / 2 }, (_, i) => [
      {
        id: `write-${i}`,
        decision: 'allow',
        match: { key: '*', tool: 'Write', path: `\${cwd}/a${i}/**`, cwd: '/srv/*/shop' },
      },
      {
        id: `run-${i}`,
        decision: 'allow',
        match: { key: '*', tool: 'Bash', command: { argv: ['npm', 'run', `t${i}`] }, cwd: '/srv/*/shop' },
      },
    ]).flat(),
  );

describe('security 21: a document with many faults', () => {
  it('has one finding for a rule that writes what many rules execute, with the first of them', () => {
    const { ok, findings } = check(writersAndRunners(20));
    expect(ok).toBe(false);
    const ofRunners = findings.filter(({ message }) => message.includes('"npm" of rule "run-0" executes'));
    expect(ofRunners.map(({ rule }) => rule)).toEqual(Array.from({ length: 10 }, (_, i) => `write-${i}`));
    // Each also writes what the agent executes by itself.
    expect(findings).toHaveLength(20);
  });

  it.each([
    ['rules that write what others run', writersAndRunners(2_000)],
    ['unknown members', `version: 1\nrules: []\n${lines(20_000, (i) => `k${i}: 1`)}\n`],
    ['rules of another shape', `version: 1\nrules:\n${lines(2_000, () => '- { x: 1, y: 2 }')}\n`],
    [
      'patterns that are wrong',
      documentOf([
        { id: 'a', decision: 'ask', match: { tool: Array(100).fill('!a') } },
        { id: 'b', decision: 'ask', match: { tool: Array(100).fill('!a') } },
      ]),
    ],
  ])('shows 100 findings of %s, and says that there are more', (_, text) => {
    const { ok, findings } = check(text);
    expect(ok).toBe(false);
    expect(findings).toHaveLength(100);
    expect(findings.at(-1)?.message).toBe('There are more findings than are shown.');
  });

  it('shows the errors where it does not show all warnings', () => {
    const constant = Array.from({ length: 150 }, (_, i) => ({
      id: `a${i}`,
      decision: 'ask',
      match: { tool: 'Bash' },
      when: `${i} == ${i}`,
    }));
    const { ok, findings } = check(
      documentOf([...constant, { id: 'b', decision: 'allow', match: { key: '*' } }]),
    );
    expect(ok).toBe(false);
    expect(findings).toHaveLength(100);
    expect(findings.some(({ message }) => message.includes('allows every tool'))).toBe(true);
    expect(findings.at(-1)).toMatchObject({ severity: 'warning' });
  });
});

describe('security 21: a document beyond a bound', () => {
  it.each([
    ['unclosed quotes, which nest', 'a: "'.repeat(20_000), 'nests too deeply'],
    ['nested lists', '- '.repeat(20_000), 'nests too deeply'],
    ['nested names', '? '.repeat(20_000), 'nests too deeply'],
    ['nested flow', '[a: {b: '.repeat(5_000), 'nests too deeply'],
    ['aliases', `a: &a 1\nb: [${'*a, '.repeat(20_000)}]\n`, 'more than 100 aliases'],
    ['anchors', lines(10_000, (i) => `k${i}: &a${i} 1`), 'more than 100 anchors'],
    ['one word after the other', `a: [${'1,'.repeat(500_000)}]`, 'more than 500000 words and signs'],
    [
      'values by aliases',
      `a: &a [${'1,'.repeat(60_000)}]\nb: [${'*a, '.repeat(99)}]\n`,
      'more than 100000 values',
    ],
    [
      'classes',
      `version: 1\nrules: []\nclasses:\n${lines(51, (i) => `  c${i}: {}`)}\n`,
      'at most 50 classes',
    ],
  ])('is refused for %s', (_, text, message) => {
    const { ok, findings } = check(text);
    expect(ok).toBe(false);
    expect(findings).toHaveLength(1);
    expect(findings[0]?.message).toContain(message);
  });

  it('is not a rule of a policy with as many rules and members as there may be', () => {
    const rules = Array.from({ length: 2_000 }, (_, i) => ({
      id: `r${i}`,
      decision: 'ask',
      match: { tool: ['A', 'B'], path: `/srv/a${i}/**`, agent: ['x', 'y'] },
    }));
    expect(check(documentOf(rules))).toMatchObject({ ok: true, findings: [] });
    expect(check(JSON.stringify({ version: 1, rules }, null, 2))).toMatchObject({ ok: true, findings: [] });
  });
});

it('security 21: compares rules with long lists up to a bound, and says so', () => {
  const tools = Array.from({ length: 99 }, (_, i) => `T${i}`);
  const rules = Array.from({ length: 2_000 }, (_, i) => ({
    id: `r${i}`,
    decision: 'ask' as const,
    class: i % 2 === 0 ? 'normal' : 'critical',
    match: { tool: [...tools, `U${i}`] },
  }));
  expect(pairFaults(rules)).toEqual([
    expect.objectContaining({
      severity: 'warning',
      message: expect.stringContaining('too many rules') as string,
    }),
  ]);
  expect(pairFaults([...rules.slice(0, 9), rules[0] as Rule])).toHaveLength(1);
});

describe('a condition that fails whatever the request', () => {
  it.each([
    'int("x") == 1',
    'duration("x") == duration("1s")',
    'timestamp("x") == timestamp("y")',
    '1 / 0 == 1',
  ])('is a finding at its place: %s', (when) => {
    const { ok, findings } = check(documentOf([{ id: 'a', decision: 'ask', when }]));
    expect(ok).toBe(false);
    expect(findings).toEqual([expect.objectContaining({ rule: 'a', line: 5, severity: 'error' })]);
  });
});

it('refuses a document whose aliases make it larger than replicas read', () => {
  const words = Array.from({ length: 90 }, (_, n) => `"${'x'.repeat(900)}${n}"`).join(', ');
  const rules = Array.from(
    { length: 80 },
    (_, n) =>
      `  - { id: r${n}, decision: deny, match: { agent: ${n === 0 ? `&words [${words}]` : '*words'} } }`,
  );
  const text = `version: 1\nrules:\n${rules.join('\n')}\n`;
  expect(text.length).toBeLessThan(100_000);
  expect(() => readPolicy(text)).toThrow(/aliases written out, the document has \d+ characters/);
});
