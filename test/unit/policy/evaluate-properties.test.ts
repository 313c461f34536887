import fc from 'fast-check';
import type { JsonObject } from '../../../src/kernel/json';
import type { CompiledPolicy } from '../../../src/policy/evaluation/compile-policy';
import { evaluate, type Verdict } from '../../../src/policy/evaluation/evaluate';
import type { PolicyRequest } from '../../../src/policy/evaluation/policy-request';
import { policyOf, requestOf, type WrittenRule } from '../../support/policy-scene';

const NOW = new Date('2026-03-04T12:00:00Z');
const STRICTNESS = { allow: 0, ask: 1, deny: 2 } as const;

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const defined = (object: object) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

const match = fc
  .record({
    key: fc.constant('*'),
    tool: maybe(fc.constantFrom('Bash', 'Read', '*', 'mcp__*')),
    mode: maybe(fc.constantFrom('plan', '*')),
    cwd: maybe(fc.constantFrom('/srv/*/shop', '/srv/**')),
    path: maybe(fc.constantFrom('/srv/**', '**/.env*', '/etc/**')),
    host: maybe(fc.constantFrom('*', 'a.example')),
    input: maybe(fc.constantFrom({ '/n': { equals: 1 } }, { '/n': { glob: 'a*' } })),
  })
  .map(defined);

const command = fc.constantFrom(
  { argv: ['git', 'status'] },
  { argv: ['npm', 'test'] },
  { argv: ['cat'], operands: 'path' },
);
const caught = fc.constantFrom({ mentions: [['git']] }, { mentions: [['npm', 'test']] });
const when = maybe(
  fc.constantFrom('request.metadata.env == "prod"', 'request.mode != "plan"', 'request.metadata.n > 3'),
);

const rule: fc.Arbitrary<WrittenRule> = fc
  .record({
    decision: fc.constantFrom('allow', 'deny', 'ask'),
    match,
    allowed: maybe(command),
    caught: maybe(caught),
    when,
    mode: maybe(fc.constantFrom('shadow')),
  })
  .map(({ decision, match: others, allowed, caught: mentioned, ...rest }) => {
    const own = decision === 'allow' ? allowed : mentioned;
    return defined({ decision, match: own ? { ...others, command: own } : others, ...rest });
  });

const rules = fc.array(rule, { minLength: 1, maxLength: 6 });

const input: fc.Arbitrary<{ toolName: string; toolInput: JsonObject }> = fc.oneof(
  fc
    .constantFrom(
      'git status',
      'npm test',
      'git status && npm test',
      'git $(id)',
      'cat ../prod/x',
      'cat a/.env',
      'curl http://a.example/',
    )
    .map((line) => ({ toolName: 'Bash', toolInput: { command: line } })),
  fc
    .constantFrom('/srv/a/shop/x', '/srv/a/shop/.env', '/etc/x', '../x', '~/x', 'a\\b')
    .map((file) => ({ toolName: 'Read', toolInput: { file_path: file } })),
  fc
    .constantFrom<JsonObject>(
      { n: 1 },
      { n: 'ab' },
      { n: [1] },
      {},
      { at: '/etc/x' },
      { at: 'http://a.example' },
    )
    .map((toolInput) => ({ toolName: 'mcp__a__b', toolInput })),
);

const request: fc.Arbitrary<PolicyRequest> = fc
  .record({
    input,
    cwd: fc.constantFrom('/srv/a/shop', '/srv/a/other', '/tmp', null),
    mode: fc.constantFrom('plan', 'default', null),
    metadata: fc.constantFrom<JsonObject>({ env: 'prod' }, { env: 'test', n: 5 }, { n: 'x' }, {}),
  })
  .map(({ input: own, ...rest }) => requestOf({ ...own, ...rest }));

const compiled = new WeakMap<readonly WrittenRule[], CompiledPolicy>();

function compile(written: readonly WrittenRule[]): CompiledPolicy {
  const policy = compiled.get(written) ?? policyOf(written);
  compiled.set(written, policy);
  return policy;
}

/** The verdict without the version, which is that of the order too. */
function verdictFor(written: readonly WrittenRule[], asked: PolicyRequest): Omit<Verdict, 'version'> {
  const { version, ...verdict } = evaluate(compile(written), asked, NOW);
  expect(version).toMatch(/^sha256:/);
  return verdict;
}

/** Compiling the documents takes most of the time. */
const RUNS = { numRuns: 150 };

it('gives the same verdict for every order of the rules', () => {
  fc.assert(
    fc.property(rules, request, fc.infiniteStream(fc.nat()), (written, asked, keys) => {
      const named = written.map((one, i) => ({ id: `rule-${i}`, ...one }));
      const shuffled = named
        .map((one) => ({ one, key: keys.next().value as number }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ one }) => one);
      expect(verdictFor(shuffled, asked)).toEqual(verdictFor(named, asked));
    }),
    RUNS,
  );
});

const withoutInput = (asked: PolicyRequest, name: string): PolicyRequest => ({
  ...asked,
  toolInput: Object.fromEntries(Object.entries(asked.toolInput).filter(([other]) => other !== name)),
});

it('never allows a call of a shell that leaves its command out', () => {
  fc.assert(
    fc.property(rules, request, (written, asked) => {
      fc.pre(asked.toolName === 'Bash');
      const before = STRICTNESS[verdictFor(written, asked).decision];
      const { decision } = verdictFor(written, withoutInput(asked, 'command'));
      // What a rule that denies looks for in a command is in doubt without one.
      expect(STRICTNESS[decision]).toBeGreaterThanOrEqual(Math.min(before, STRICTNESS.ask));
    }),
    RUNS,
  );
});

it('never becomes looser if the request leaves something out', () => {
  const without = (asked: PolicyRequest): PolicyRequest[] => [
    { ...asked, cwd: null },
    { ...asked, mode: null },
    { ...asked, owner: null },
    ...Object.keys(asked.metadata).map((name) => ({
      ...asked,
      metadata: Object.fromEntries(Object.entries(asked.metadata).filter(([other]) => other !== name)),
    })),
    ...['file_path', 'n'].map((name) => withoutInput(asked, name)),
  ];
  fc.assert(
    fc.property(rules, request, (written, asked) => {
      const before = STRICTNESS[verdictFor(written, asked).decision];
      for (const less of without(asked)) {
        expect(STRICTNESS[verdictFor(written, less).decision]).toBeGreaterThanOrEqual(before);
      }
    }),
    RUNS,
  );
});

it('never allows with a doubt, without a rule, or against a rule that asks or denies', () => {
  fc.assert(
    fc.property(rules, request, (written, asked) => {
      const { decision, doubt, rules: ids } = verdictFor(written, asked);
      if (decision !== 'allow') return;
      expect(doubt).toBeNull();
      expect(ids.length).toBeGreaterThan(0);
      for (const one of written.filter(({ decision: own, mode }) => own !== 'allow' && mode !== 'shadow')) {
        expect(verdictFor([one], asked)).toMatchObject({ decision: 'ask', rules: [], doubt: null });
      }
    }),
    RUNS,
  );
});

it('never becomes looser by one more rule that asks or denies', () => {
  fc.assert(
    fc.property(rules, rule, request, (written, one, asked) => {
      fc.pre(one.decision !== 'allow');
      const before = STRICTNESS[verdictFor(written, asked).decision];
      const after = STRICTNESS[verdictFor([...written, one], asked).decision];
      expect(after).toBeGreaterThanOrEqual(before);
    }),
    RUNS,
  );
});

it('allows no command that is a random text', () => {
  const allowed = [
    { decision: 'allow', match: { key: '*', tool: 'Bash', command: { argv: ['git', 'status'] } } },
  ];
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      fc.pre(text.trim() !== '');
      const asked = requestOf({ toolInput: { command: `git status${text}` } });
      expect(verdictFor(allowed, asked).decision).toBe('ask');
    }),
    RUNS,
  );
});
