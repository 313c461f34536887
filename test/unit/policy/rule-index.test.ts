import fc from 'fast-check';
import type { JsonObject } from '../../../src/kernel/json';
import { CompiledPolicy } from '../../../src/policy/evaluation/compile-policy';
import { evaluate } from '../../../src/policy/evaluation/evaluate';
import type { PolicyRequest } from '../../../src/policy/evaluation/policy-request';
import { policyOf, requestOf, type WrittenRule } from '../../support/policy-scene';

const NOW = new Date('2026-03-04T12:00:00Z');

const some = (...values: string[]) => fc.subarray(values, { minLength: 1, maxLength: 2 });
const maybe = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const defined = (object: object) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

const TOOLS = ['Bash', 'Read', 'Grep', 'WebFetch', 'mcp__a__b', 'mcp__*', 'R*', '*'];
const CAUGHT_PATHS = [
  '/srv/a/**',
  '/srv/*/keys/**',
  '/srv/a/Keys/x.pem',
  '/**',
  '/*/keys',
  '**/.env*',
  '**/keys/**',
  '**/*.pem',
  '~/.ssh/**',
  '${cwd}/**',
  '${cwd}/keys/*',
  'C:/srv/**',
];
const PROVEN_PATHS = CAUGHT_PATHS.filter((pattern) => !/^[~$]/.test(pattern));
const mentions = fc.constantFrom(
  { mentions: [['git', 'push']] },
  { mentions: [['KubeCtl'], ['rm', '-rf']] },
  { mentions: [['--force']] },
  { argv: [{ any: ['git', 'npm'] }, 'push'], flags: ['--force'] },
);
const allowed = fc.constantFrom(
  { argv: ['git', 'status'] },
  { argv: ['cat'], operands: 'path' },
  { argv: [{ any: ['ls', 'cat'] }], flags: ['-l'], operands: 'path' },
);

type Decision = 'allow' | 'deny' | 'ask';

const matchersOf = (decision: Decision): Record<string, fc.Arbitrary<unknown>> => ({
  tool: some(...TOOLS),
  agent: some('bot-1', 'bot-*', '*x', 'b?t'),
  session: some('s-1', 's-{1,2}', 's*'),
  mode: some('plan', 'p*'),
  owner: some('ann', '*'),
  connector: some('rest', 'c*'),
  cwd: some('/srv/a', '/srv/**', '/tmp'),
  path: some(...(decision === 'allow' ? PROVEN_PATHS : CAUGHT_PATHS)),
  host: some('a.example', '*.a.example', 'b.example:8443', '*', '127.0.0.1', '[::1]'),
  input: fc.constantFrom({ '/n': { equals: 1 } }, { '/n': { glob: 'a*' } }),
  command: decision === 'allow' ? allowed : mentions,
});

/** Few matchers, so that one rule in some matches a request. */
const rule: fc.Arbitrary<WrittenRule> = fc
  .constantFrom<Decision>('allow', 'deny', 'ask')
  .chain((decision) => {
    const matchers = matchersOf(decision);
    return fc.subarray(Object.keys(matchers), { minLength: 1, maxLength: 2 }).chain((names) =>
      fc.record({
        decision: fc.constant(decision),
        match: fc.record({
          key: fc.constant('*'),
          ...Object.fromEntries(Object.entries(matchers).filter(([name]) => names.includes(name))),
        }),
        when: maybe(fc.constantFrom('request.metadata.env == "prod"', 'request.mode != "plan"')),
        mode: maybe(fc.constantFrom('shadow' as const)),
      }),
    );
  })
  .map(defined);

const FILES = [
  '/srv/a/x',
  '/srv/A/KEYS/x.pem',
  '/srv/b/keys/y',
  '/srv',
  '/',
  '.env',
  './keys/../.env.local',
  '../b/keys',
  '~/.ssh/id',
  'keys',
  'C:\\srv\\x',
  `/srv/${'x'.repeat(300)}`,
];
const COMMANDS = [
  'git status',
  'git push',
  'git push --force origin',
  'git push -f',
  'kubectl get pods',
  'rm -r -f /srv/a',
  'rm -fr x',
  'cat a && cd /srv && ls -l keys',
  'git $(id)',
  '/usr/bin/KUBECTL x',
  'curl https://x.a.example/ b.example:8443',
  'ssh A.example',
  'grep -r x',
  'cd /srv/b; cat keys/y && cd -',
  'cd; cat keys',
  '(cd /srv/b && cat keys)',
  'curl x.a.example $x; cat "/srv/a/k"eys',
  "bash -c 'ssh b.example'",
  'ls',
  'curl [::1] 127.0.0.1',
  'cat x | tee /srv/a/out',
  `echo ${'word '.repeat(9_000)}`,
];
const URLS = [
  'https://a.example/',
  'http://X.A.example:8443',
  'https://u@b.example',
  'file://localhost/srv/a/keys/x.pem?y',
  'ftp://a.example',
  '127.1',
];

const input: fc.Arbitrary<{ toolName: string; toolInput: JsonObject }> = fc.oneof(
  fc.constantFrom(...COMMANDS).map((command) => ({ toolName: 'Bash', toolInput: { command } })),
  fc
    .constantFrom(...COMMANDS, ...FILES)
    .chain((file) => fc.constantFrom(...FILES).map((operand) => `cat ${operand} ${file}`))
    .map((command) => ({ toolName: 'Bash', toolInput: { command } })),
  fc.constant({ toolName: 'Bash', toolInput: {} }),
  fc.constantFrom(...FILES).map((file) => ({ toolName: 'Read', toolInput: { file_path: file } })),
  fc.constantFrom(...FILES).map((path) => ({ toolName: 'Grep', toolInput: { pattern: 'x', path } })),
  fc.constant({ toolName: 'Grep', toolInput: { pattern: 'x' } }),
  fc.constantFrom(...FILES).map((pattern) => ({ toolName: 'Glob', toolInput: { pattern } })),
  fc.constantFrom(...FILES).map((dir_path) => ({
    toolName: 'run_shell_command',
    toolInput: { command: 'cat keys', dir_path },
  })),
  fc.constantFrom(...URLS).map((url) => ({ toolName: 'WebFetch', toolInput: { url, prompt: 'x' } })),
  fc.record({
    toolName: fc.constantFrom('mcp__a__b', 'Reader', 'x'),
    toolInput: fc
      .constantFrom(...FILES, ...COMMANDS, ...URLS)
      .chain((at) =>
        fc.constantFrom<JsonObject>({ at }, { path: at }, { n: 1, at }, { n: 'ab' }, { n: [at] }),
      ),
  }),
);

const request: fc.Arbitrary<PolicyRequest> = fc
  .record({
    input,
    cwd: fc.constantFrom('/srv/a', '/SRV/A/keys', '/tmp', 'relative', null, `/srv/${'y'.repeat(300)}`),
    agentId: fc.constantFrom('bot-1', 'bot-12', 'box', 'bat', 'b'.repeat(5_000)),
    sessionId: fc.constantFrom('s-1', 's-2', 't'),
    mode: fc.constantFrom('plan', 'default', null),
    owner: fc.constantFrom('ann', 'bob', null),
    connector: fc.constantFrom('rest', 'claude-code'),
    metadata: fc.constantFrom<JsonObject>({ env: 'prod' }, { env: 'test' }, {}),
  })
  .map(({ input: own, ...rest }) => requestOf({ ...own, ...rest }));

/** The same policy without an index: every rule is tested for every request. */
function plain({ version, rules, classes, shapes }: CompiledPolicy): CompiledPolicy {
  const every = rules.map((one) => ({ ...one, clue: null, tools: null }));
  return new CompiledPolicy(version, every, classes, shapes);
}

it('gives the verdict of a test of every rule, with the same rules, words, doubts and shadow', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 4 }),
      fc.array(request, { minLength: 1, maxLength: 40, size: 'max' }),
      (written, asked) => {
        const policy = policyOf(written);
        const unindexed = plain(policy);
        for (const one of asked) expect(evaluate(policy, one, NOW)).toEqual(evaluate(unindexed, one, NOW));
      },
    ),
    { numRuns: 400 },
  );
});

it('tests few of a thousand rules for one request', () => {
  const rules = Array.from({ length: 1_000 }, (_, i): WrittenRule => {
    const decision = i % 2 === 0 ? ('deny' as const) : ('ask' as const);
    const matches = [
      { agent: `bot-${i}-*` },
      { path: `/srv/team-${i}/**` },
      { host: `*.team-${i}.example` },
      { tool: 'Bash', command: { mentions: [[`deploy-${i}`, 'apply']] } },
      { tool: `mcp__team_${i}__*`, input: { '/force': { equals: true } } },
    ];
    return { decision, match: matches[i % matches.length] };
  });
  const policy = policyOf(rules);
  let tested = 0;
  const counted = policy.rules.map((one) => ({
    ...one,
    test: (...of: Parameters<typeof one.test>) => {
      tested += 1;
      return one.test(...of);
    },
  }));
  const asked = requestOf({
    agentId: 'bot-5-x',
    toolName: 'Bash',
    toolInput: { command: 'cat /srv/team-1/x && deploy-3 apply && curl https://a.team-2.example' },
    cwd: '/srv/team-6',
  });
  const indexed = new CompiledPolicy(policy.version, counted, policy.classes, policy.shapes);
  expect(evaluate(indexed, asked, NOW)).toMatchObject({ decision: 'deny' });
  expect(tested).toBeGreaterThanOrEqual(4);
  expect(tested).toBeLessThan(20);
});
