import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { checkPolicy } from '../../../src/policy/check/check-policy';
import { mayOverlap } from '../../../src/policy/check/glob-overlap';
import { renderFindings } from '../../../src/policy/check/render-findings';
import { documentOf, type WrittenRule } from '../../support/policy-scene';

/** The findings of rules, as `severity rule: message`. */
function findingsOf(...rules: WrittenRule[]): string[] {
  const named = rules.map((rule, i) => ({ id: `rule-${i + 1}`, ...rule }));
  const { findings } = checkPolicy(documentOf(named), TOOL_SHAPES);
  return findings.map(({ severity, rule, message }) => `${severity} ${rule}: ${message}`);
}

const allow = (match: object, others: object = {}): WrittenRule => ({
  decision: 'allow',
  match: { key: '*', ...match },
  ...others,
});
const deny = (match: object, others: object = {}): WrittenRule => ({ decision: 'deny', match, ...others });
const ask = (match: object, others: object = {}): WrittenRule => ({ decision: 'ask', match, ...others });

const status = allow({ tool: 'Bash', command: { argv: ['git', 'status'] }, cwd: '/srv/*/shop' });

describe('one rule', () => {
  it.each([
    [allow({}), 'error', 'allows every tool'],
    [allow({ tool: '*' }), 'error', 'allows every tool'],
    [allow({ tool: 'mcp__*' }), 'warning', 'every tool of every MCP server'],
    [allow({ tool: ['Write', 'Read'] }), 'error', 'lets Write write any file'],
    [allow({ tool: 'Write', path: '/**', except: '/etc/**' }), 'error', '/** matches every file'],
    [allow({ tool: 'Read', path: '**' }), 'warning', '** matches every file'],
    [allow({ tool: 'WebFetch' }), 'warning', 'allows every host'],
    [allow({ tool: 'WebFetch', host: '*' }), 'warning', 'allows every host'],
    [deny({}), 'warning', 'denies every request'],
    [allow({ tool: 'Bash' }), 'error', 'can never allow Bash'],
    [
      allow({ tool: 'Read', command: { argv: ['ls'] } }),
      'error',
      'can never match Read, which has no command',
    ],
    [
      allow({ tool: ['Bash', 'Read'], path: '/srv/**' }),
      'warning',
      'can never match Bash, which has no path',
    ],
    [deny({ tool: 'Task', path: '/srv/**' }), 'error', 'can never match Task, which has no path'],
    [deny({ tool: 'Read', host: 'a.example' }), 'error', 'can never match Read, which has no host'],
    [
      allow({ tool: 'Read', path: '/srv/**', except: ['/a', '/srv/**'] }),
      'error',
      '`except` leaves out everything',
    ],
    [deny({ tool: 'BASH' }), 'warning', 'No known agent has a tool "BASH".'],
    [deny({}, { when: '1 == 2' }), 'error', 'the condition is always false'],
    [deny({}, { when: '1 == 1' }), 'warning', 'The condition is always true'],
    [
      allow({ tool: 'Bash', command: { argv: ['python3'], operands: 'path' } }),
      'error',
      'allows any command',
    ],
    [allow({ tool: 'Bash', command: { mentions: [['git']] } }), 'error', 'proves nothing'],
  ])('%j: %s %s', (rule, severity, message) => {
    expect(findingsOf(rule)).toContainEqual(expect.stringMatching(new RegExp(`^${severity} rule-1: `)));
    expect(findingsOf(rule).join('\n')).toContain(message);
  });

  it.each([
    [status],
    [allow({ tool: 'Read', path: '/srv/**' })],
    [allow({ tool: 'mcp__github__*' })],
    [allow({ tool: 'WebFetch', host: 'developer.mozilla.org' })],
    [deny({ path: '~/.ssh/**' })],
    [deny({ tool: 'Bash', path: '**/.git/**' })],
    [allow({ tool: 'Bash', command: { argv: ['python3'], operands: 'path' } }, { 'i-know': 'carrier' })],
  ])('finds nothing in %j', (rule) => {
    expect(findingsOf(rule)).toEqual([]);
  });
});

describe('rules against each other', () => {
  const read = allow({ tool: ['Read', 'Grep'], path: '/srv/**' });

  it.each([
    [
      'a contradiction',
      [read, deny({ tool: ['Grep', 'Read'], path: '/srv/**' })],
      'error rule-1: Rule "rule-2" contradicts: it denies exactly',
    ],
    [
      'an allow without effect',
      [read, ask({ tool: ['Read', 'Grep', 'Write'] })],
      'error rule-1: The rule has no effect: rule "rule-2" asks for',
    ],
    [
      'an ask without effect',
      [deny({ tool: 'Bash' }), ask({ tool: 'Bash', agent: 'a' })],
      'warning rule-2: The rule has no effect: rule "rule-1" denies',
    ],
    ['a duplicate', [read, read], 'warning rule-2: Rule "rule-1" allows everything that this rule does.'],
    [
      'a narrower duplicate',
      [allow({ tool: 'Read', path: '/srv/**' }), read],
      'warning rule-1: Rule "rule-2" allows everything',
    ],
  ])('finds %s', (_, rules, message) => {
    expect(findingsOf(...rules).join('\n')).toContain(message);
  });

  it.each([
    ['another path', [read, deny({ tool: 'Read', path: '/srv/secrets/**' })]],
    ['a condition', [read, deny({ tool: ['Read', 'Grep'] }, { when: 'request.agent == "a"' })]],
    ['an exception', [read, ask({ tool: ['Read', 'Grep'], path: '/srv/**', except: '/srv/a/**' })]],
    ['a rule in shadow', [read, deny({ tool: ['Read', 'Grep'] }, { mode: 'shadow' })]],
    ['other classes', [ask({ tool: 'Bash' }, { class: 'critical' }), ask({ tool: 'Bash', agent: 'a' })]],
  ])('finds nothing with %s', (_, rules) => {
    expect(findingsOf(...rules)).toEqual([]);
  });
});

describe('cases', () => {
  const cases = (match: unknown[], not: unknown[] = []) => ({ cases: { match, not } });

  it.each([
    [{ ...status, ...cases(['git status', 'cd sub/../ && git status'], ['git status; id', 'git log']) }],
    [
      allow(
        { tool: 'Read', cwd: '/srv/*/shop', path: '${cwd}/**' },
        cases(['src/a.ts'], ['../a.ts', '/etc/passwd']),
      ),
    ],
    [allow({ tool: ['WebFetch'], host: '*.example' }, cases(['https://a.example/'], ['https://b.test/']))],
    [deny({ path: '~/.ssh/**' }, cases(['/root/.ssh/id']))],
    [ask({ tool: 'Bash', command: { mentions: [['kubectl']] } }, cases(['sudo kubectl get pods'], ['ls']))],
    [
      allow(
        { tool: 'mcp__github__get_*', input: { '/repo': { equals: 'shop' } } },
        cases([{ tool: 'mcp__github__get_issue', input: { repo: 'shop' } }], [{ input: { repo: 'x' } }]),
      ),
    ],
    [
      deny(
        { agent: 'deployer' },
        {
          when: 'request.metadata.env == "prod"',
          ...cases(
            [{ tool: 'Task', metadata: { env: 'prod' } }],
            [
              { tool: 'Task', metadata: { env: 'test' } },
              { tool: 'Task', agent: 'a' },
            ],
          ),
        },
      ),
    ],
    [
      ask(
        {},
        {
          when: 'now.getHours() < 7',
          ...cases(
            [{ tool: 'Task', at: '2026-01-01T03:00:00Z' }],
            [{ tool: 'Task', at: '2026-01-01T09:00:00Z' }],
          ),
        },
      ),
    ],
    [allow({ tool: 'Read' }, { mode: 'shadow', ...cases(['/a']) })],
  ])('pass for %j', (rule) => {
    expect(findingsOf(rule)).toEqual([]);
  });

  it.each([
    [{ ...status, ...cases(['git log']) }, 'does not match this for Bash'],
    [{ ...status, ...cases(['git status $(id)']) }, 'must: the command has this: command substitution'],
    [{ ...status, ...cases([], ['git status']) }, 'allows this for Bash, but the case says that it must not'],
    [deny({ tool: ['Read', 'Write'], path: '/a' }, cases(['/b'])), 'does not match this for Write'],
    [deny({ tool: 'mcp__a__b' }, cases(['x'])), 'names no tool with a command, path or URL'],
  ])('fail for %j', (rule, message) => {
    expect(findingsOf(rule).join('\n')).toContain(message);
  });
});

describe('writing and running together', () => {
  const tests = allow({ tool: 'Bash', command: { argv: ['npm', 'test'] }, cwd: '/srv/*/shop' });
  const itself = [
    '**/CLAUDE.md',
    '**/CLAUDE.local.md',
    '**/AGENTS.md',
    '**/.mcp.json',
    '**/.claude/**',
    '**/.codex/**',
    '**/.copilot/**',
    '**/.envrc',
    '**/.husky/**',
    '**/.git/**',
    '**/.vscode/**',
  ];
  const edit = (match: object, others: object = {}) =>
    allow({ tool: ['Edit', 'Write'], except: itself, ...match }, others);

  it.each([
    [
      'code that tests run',
      [tests, edit({ path: '/srv/a/shop/src/**' })],
      'Rule "rule-2" allows writing *.js, *.cjs, *.mjs and others, which "npm" of rule "rule-1" executes',
    ],
    [
      'package.json',
      [tests, edit({ path: '/srv/*/shop/package.json' })],
      'which "npm" of rule "rule-1" executes',
    ],
    [
      'a Makefile',
      [allow({ tool: 'Bash', command: { argv: ['make', 'lint'] } }), edit({ path: '**/Makefile' })],
      'writing Makefile, which "make"',
    ],
    [
      'the repository that git reads',
      [status, edit({ path: '/srv/a/shop/**', except: '/none' })],
      'writing .git/**, which "git" of rule "rule-1" executes',
    ],
    [
      'a script',
      [
        allow({ tool: 'Bash', command: { argv: ['./scripts/lint.sh'] }, cwd: '/srv/a' }),
        edit({ path: '/srv/a/scripts/*' }),
      ],
      'writing scripts/lint.sh',
    ],
    [
      'hooks, without any command',
      [edit({ path: '/srv/a/**', except: itself.slice(1) })],
      'writing CLAUDE.md, which the agent, the shell or the editor executes by itself',
    ],
    [
      'what a command writes',
      [tests, allow({ tool: 'Bash', command: { argv: ['ls'], writes: ['src/*.js'] }, cwd: '/srv/a/shop' })],
      'Rule "rule-2" allows writing *.js',
    ],
  ])('finds %s', (_, rules, message) => {
    expect(findingsOf(...rules).join('\n')).toContain(message);
  });

  it.each([
    ['documents', [tests, edit({ path: '/srv/*/shop/docs/**/*.md' })]],
    ['another directory', [tests, edit({ path: '/home/notes/**' })]],
    [
      'a command that executes no file',
      [allow({ tool: 'Bash', command: { argv: ['ls'] } }), edit({ path: '/srv/**' })],
    ],
    ['an exception', [status, edit({ path: '/srv/a/shop/**' })]],
    ['consent in the rule that writes', [tests, edit({ path: '/srv/**' }, { 'i-know': 'executes-edits' })]],
    [
      'consent in the rule that runs',
      [{ ...tests, 'i-know': ['executes-edits'] }, edit({ path: '/srv/**' })],
    ],
  ])('finds nothing with %s', (_, rules) => {
    expect(findingsOf(...rules)).toEqual([]);
  });

  it.each([
    ['/srv/*/shop/**', '/srv/a/**/x.ts', true],
    ['/srv/a/**', '/srv/b/**', false],
    ['**/*.md', '**/*.ts', false],
    ['**/*.{md,ts}', '/x/*.ts', true],
    ['/a/b*', '/a/c*', false],
    ['/a/[bc]', '/a/b', true],
    ['**', '/', true],
  ])('%s and %s overlap: %s', (a, b, expected) => {
    expect(mayOverlap(a, b)).toBe(expected);
    expect(mayOverlap(b, a)).toBe(expected);
  });
});

describe('report', () => {
  const text = [
    'version: 1',
    'rules:',
    '  - id: tests',
    '    decision: allow',
    '    match: { key: "*", tool: Bash, command: { argv: [npm, test] } }',
    '    cases: { match: ["npm run test"] }',
    '',
  ].join('\n');

  it('shows file, line and column, underlines the words, and gives reason and mend', () => {
    expect(renderFindings(checkPolicy(text, TOOL_SHAPES).findings, text, 'policy.yaml')).toBe(
      [
        'error: Rule "tests" does not match this for Bash, but the case says that it must.',
        ' --> policy.yaml:6:22 (rule tests)',
        '  |',
        '6 |     cases: { match: ["npm run test"] }',
        '  |                      ^^^^^^^^^^^^^^',
        '  = fix: Widen the rule, or correct the case.',
        '',
        '1 error, 0 warnings',
        '',
      ].join('\n'),
    );
  });

  it('cuts a long line around the words, and keeps control characters from the terminal', () => {
    const long = `version: 1\nrules: [{ id: a, decision: deny, say: "${'x'.repeat(300)}\u202e", mach: {} }]\n`;
    const report = renderFindings(checkPolicy(long, TOOL_SHAPES).findings, long, 'a\u001b[2J');
    expect(report).toContain('mach');
    expect(report).not.toContain('\u202e');
    expect(report).not.toContain('\u001b');
    const [source, underline] = report.split('\n').slice(3, 5);
    expect(source?.slice(underline?.indexOf('^'), (underline?.lastIndexOf('^') ?? 0) + 1)).toBe('mach');
  });

  it('finds everything before it answers, in the order of the text', () => {
    const { ok, findings } = checkPolicy(
      documentOf([
        { id: 'a', ...allow({ tool: 'Bash' }) },
        { id: 'b', ...deny({}) },
      ]),
      TOOL_SHAPES,
    );
    expect(ok).toBe(false);
    expect(findings.map(({ rule }) => rule)).toEqual(['a', 'a', 'b']);
  });

  it('accepts a document with warnings only', () => {
    expect(checkPolicy(documentOf([{ id: 'a', ...allow({ tool: 'WebFetch' }) }]), TOOL_SHAPES).ok).toBe(true);
  });
});
