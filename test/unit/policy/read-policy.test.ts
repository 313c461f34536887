import { stringify } from 'yaml';
import { policyJsonSchema } from '../../../src/policy/document/policy-schema';
import { readPolicy } from '../../../src/policy/document/read-policy';
import { MAX_DOCUMENT_CHARACTERS, UnreadableDocument } from '../../../src/policy/document/source';
import { documentOf, refusalOf } from '../../support/policy-scene';

const RULE = { id: 'reads', decision: 'allow', match: { key: '*', tool: 'Read' } };

const refusalOfRule = (rule: object, others: object = {}) =>
  refusalOf(documentOf([{ ...RULE, ...rule }], others));

describe('version', () => {
  it('is the digest of the canonical form, whatever the spelling', () => {
    const yaml = '# a comment\nrules: []\nversion: 1\n';
    const { version } = readPolicy(yaml);
    expect(version).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(readPolicy('{"version": 1, "rules": []}').version).toBe(version);
    expect(readPolicy('version: 1\nrules: []\nmode: enforce\n').version).not.toBe(version);
  });

  it('is the same for JSON with any text', () => {
    const rules = [{ ...RULE, decision: 'deny', say: 'Nein: "\ud83d\ude00"\n\t\\ /' }];
    expect(readPolicy(JSON.stringify({ version: 1, rules })).version).toBe(
      readPolicy(stringify({ version: 1, rules })).version,
    );
  });
});

describe('YAML', () => {
  it.each([
    ['an empty document', '', '1:1 A policy must be an object'],
    ['a list', '[]', '1:1 A policy must be an object'],
    ['a syntax fault', 'version: 1\n\trules: []', '2:1 Tabs are not allowed'],
    ['a duplicate member', 'version: 1\nversion: 1\nrules: []', '2:1 Map keys must be unique'],
    ['two documents', 'version: 1\nrules: []\n---\nversion: 1\n', 'multiple documents'],
    ['a custom tag', 'version: !!js/function 1\nrules: []', '1:10 Unresolved tag'],
    ['a name that is not text', '? [a]\n: 1\n', 'keys must be strings'],
    ['a cyclic anchor', 'version: &a [*a]\nrules: []', '1:14 The alias contains itself.'],
    ['an alias without an anchor', 'version: *a\n', '1:10 There is no anchor'],
    ['U+0000 by an escape', 'version: "\\0"', '1:10 The text has U+0000, which PostgreSQL does not store.'],
    ['U+0000 in a name', '"a\\u0000": 1', '1:1 The text has U+0000, which PostgreSQL does not store.'],
    ['half a surrogate pair', 'version: "\\ud800"', '1:10 The text has half a surrogate pair.'],
    ['a number that JSON does not have', 'version: .nan', '1:10 The value is not one that JSON can carry.'],
    ['deep nesting', `version: ${'['.repeat(40)}${']'.repeat(40)}`, 'nests more than 32 levels'],
    ['nesting that overflows the stack', '['.repeat(20_000), '1:1 The document nests too deeply'],
    ['10 MB', 'x'.repeat(10_000_000), `at most ${MAX_DOCUMENT_CHARACTERS} are read`],
  ])('refuses %s', (_, text, message) => {
    expect(refusalOf(text).join('\n')).toContain(message);
  });

  it('refuses a billion laughs', () => {
    const levels = 'abcdefghi'.split('');
    const lines = levels.map(
      (name, i) =>
        `${name}: &${name} [${
          i === 0
            ? '1'
            : Array(9)
                .fill(`*${levels[i - 1]}`)
                .join()
        }]`,
    );
    expect(refusalOf(lines.join('\n')).join()).toContain('more than 100 aliases');
  });

  it('follows an alias', () => {
    const text =
      'version: 1\nrules:\n  - {id: a, decision: ask, match: {tool: &t [A, B]}}\n  - {id: b, decision: deny, match: {tool: *t}}\n';
    expect(readPolicy(text).policy.rules[1]?.match?.tool).toEqual(['A', 'B']);
  });
});

describe('shape', () => {
  it.each([
    [{ desicion: 'allow' }, 'is not a member of `rules`'],
    [{ decision: 'alow' }, '`decision` must be "allow", "deny" or "ask".'],
    [{ id: 'Not A Name' }, '`id` must be lower case'],
    [{ match: { key: '*', tool: [] } }, '`tool` must not be empty.'],
    [{ match: { key: '*', tools: 'Read' } }, '`tools` is not a member of `match`.'],
    [{ match: { key: '*', input: { repo: { equals: 1 } } } }, '`repo` must be a JSON pointer'],
    [{ match: { key: '*', input: { '/repo': { equal: 1 } } } }, '`equal` is not a member of `/repo`.'],
    [{ match: { key: 3 } }, '`key` must be text; put it in quotes.'],
    [{ 'i-know': 'everything' }, '`i-know` must be "carrier" or "executes-edits".'],
    [{ cases: { match: [3] } }, '`match` must be'],
  ])('refuses %j', (rule, message) => {
    expect(refusalOfRule(rule).join('\n')).toContain(message);
  });

  it('names line, column and length of the words at fault, their rule, and the mend', () => {
    const text = 'version: 1\nrules:\n  - id: reads\n    decision: allow\n    mach: { key: "*" }\n';
    expect(() => readPolicy(text)).toThrow(UnreadableDocument);
    try {
      readPolicy(text);
    } catch (error) {
      expect((error as UnreadableDocument).findings).toEqual([
        {
          severity: 'error',
          line: 5,
          column: 5,
          length: 4,
          rule: 'reads',
          message: '`mach` is not a member of `rules`.',
          fix: 'Write `match`.',
        },
      ]);
    }
  });

  it('publishes the members with their descriptions as JSON Schema', () => {
    const schema = JSON.stringify(policyJsonSchema());
    for (const member of ['decision', 'command', 'i-know', 'except', 'widening'])
      expect(schema).toContain(`"${member}"`);
  });
});

describe('members that depend on each other', () => {
  it.each([
    [{ match: { tool: 'Read' } }, 'must name `key` or `owner`'],
    [{ match: undefined }, 'must name `key` or `owner`'],
    [{ match: { key: '*', path: '${cwd}/**' } }, 'follows the directory that the caller claims'],
    [{ match: { key: '*', path: '${cwd}/**', cwd: '/**' } }, 'follows the directory that the caller claims'],
    [{ match: { key: '*', path: '${cwd}/**', cwd: ['/srv/a', '**/shop'] } }, 'follows the directory'],
    [{ match: { key: '*', except: '/a' } }, '`path`, which is missing'],
    [{ match: { key: '*', path: 'src/**' } }, 'is relative'],
    [{ match: { key: '*', path: '/srv/../etc' } }, '"." or ".."'],
    [{ match: { key: '*', path: '~/x' } }, 'does not know the home of the agent'],
    [{ match: { key: '*', path: '/a**' } }, '** beside other characters'],
    [{ match: { key: '*', path: '/a/!(b)' } }, 'extended glob'],
    [{ match: { key: '*', path: '/a/*a*b*c*' } }, 'more than 2 *'],
    [{ match: { key: '*', path: '/a/{b' } }, '{ } that is not closed'],
    [{ match: { key: '*', tool: '!Bash' } }, 'begins with "!"'],
    [{ match: { key: '*', host: 'https://a.example/' } }, 'is not a host'],
    [{ match: { key: '*', host: '0x7f.1' } }, 'write it as 127.0.0.1'],
    [{ match: { key: '*', host: '*.127.0.0.1' } }, 'an address has no subdomains'],
    [{ class: 'critical' }, 'A rule that allows has no class.'],
    [{ decision: 'deny', class: 'critical' }, 'A rule that denies has no class.'],
    [{ say: 'No.' }, 'Nobody reads the words'],
    [{ decision: 'ask', class: 'urgent' }, 'There is no class "urgent".'],
  ])('refuses %j', (rule, message) => {
    expect(refusalOfRule(rule).join('\n')).toContain(message);
  });

  it('refuses an id that another rule has', () => {
    expect(refusalOf(documentOf([RULE, RULE])).join()).toContain('The id "reads" is used by rule 1 already.');
  });

  it.each([
    [{ match: { owner: 'olivia' } }],
    [{ match: { key: '*', path: '${cwd}/**', cwd: '/srv/*/shop' } }],
  ])('accepts %j', (rule) => {
    expect(refusalOfRule(rule)).toEqual([]);
  });
});

describe('when', () => {
  it.each([
    ['request.agnet == "x"', 'No such key: agnet'],
    ['request.agent + 1 == 2', 'is not offered'],
    ['request.agent == 1', 'no such overload'],
    ['request.agent', 'is a string, not true or false'],
    ['request.agent ==', 'Unexpected token'],
    ['unknown == 1', 'Unknown variable'],
    ['has(request.metadata.a)', 'has() is not offered'],
    ['request.agent.matches("(a+)+$")', 'matches() is not offered'],
    ['cel.bind(x, 1, x == 1)', 'is not offered'],
    ['request.input.l.map(x, x)[0] == 1', 'map() is not offered'],
    ['request.input.a.all(x, request.input.b.all(y, x == y))', 'A loop within a loop'],
    [`1 in [${'1,'.repeat(200)}1]`, 'Exceeded'],
    [`${'('.repeat(50)}true${')'.repeat(50)}`, 'Exceeded'],
    ['true || '.repeat(300).concat('true'), 'more than 2000 characters'],
  ])('refuses %s', (when, message) => {
    expect(refusalOf(documentOf([{ id: 'a', decision: 'ask', when }])).join()).toContain(message);
  });

  it('points at the words within the expression', () => {
    const text = 'version: 1\nrules:\n  - id: a\n    decision: ask\n    when: request.agnet == "x"\n';
    expect(refusalOf(text)).toEqual([expect.stringMatching(/^5:19 No such key: agnet/)]);
  });
});

describe('people', () => {
  const people = {
    olivia: { telegram: 4711, groups: ['sre', 'leads'], email: 'olivia@example.org' },
    sam: { telegram: 4712, groups: ['sre'] },
    maria: { groups: ['leads'] },
  };

  it.each([
    ['two of everybody', { approvals: 2 }],
    ['two of a group', { approvals: 2, from: 'sre' }],
    ['any two of two groups together', { approvals: 3, from: ['sre', 'leads'] }],
    ['several rejections', { rejections: 2 }],
  ])('accepts a class for %s', (_, critical) => {
    expect(refusalOfRule({}, { people, classes: { critical } })).toEqual([]);
  });

  it.each([
    ['nobody is named', { classes: { critical: { approvals: 2 } } }, 'the document names none'],
    ['a group is empty', { people, classes: { critical: { from: 'ops' } } }, 'Nobody is in the group "ops"'],
    [
      'there are too few',
      { people, classes: { critical: { approvals: 3, from: 'sre' } } },
      'Only 2 of `people` may decide it: olivia, sam',
    ],
    [
      'there are too few to reject',
      { people, classes: { critical: { rejections: 4 } } },
      'Only 3 of `people` may decide it',
    ],
    [
      'an account is of two people',
      { people: { ...people, rita: { telegram: 4711 } } },
      'olivia has this Telegram id already',
    ],
    ['the list is empty', { people: {} }, '`people` must not be empty'],
    ['an id is not one of a user', { people: { rita: { telegram: -100 } } }, 'numeric id of a Telegram user'],
    ['a name is not lower case', { people: { Rita: {} } }, 'must be lower case letters'],
    [
      'grants would be the word of one',
      { people, classes: { normal: { approvals: 2, grants: true } } },
      'A grant is the word of one person',
    ],
    [
      'grants would answer without a passkey',
      { people, classes: { normal: { via: 'console', grants: true } } },
      'No passkey signs what a grant answers',
    ],
  ])('refuses it if %s', (_, others, words) => {
    expect(refusalOfRule({}, others)).toEqual([expect.stringContaining(words)]);
  });
});

describe('properties that a later version enforces', () => {
  it.each([['digest', { classes: { critical: { digest: true } } }]])(
    'refuses %s, with the words of what this version enforces',
    (property, others) => {
      expect(refusalOfRule({}, others)).toEqual([
        expect.stringMatching(
          new RegExp(
            `\`${property}\` is not enforced by this version\\. This version enforces people, groups, approvals`,
          ),
        ),
      ]);
    },
  );

  it.each([
    [{ timeout: '30m', maximum: '15m' }, 'The `maximum` of this class is shorter than its `timeout`.'],
    [{ claim: '5m' }, 'A claim delays the chain of a class, and this class has none.'],
    [{ claim: '1s' }, 'must be a duration from 10s to 168h, such as 5m'],
    [{ maximum: '1s' }, 'must be a duration from 10s to 168h, such as 30m'],
  ])('refuses a class with %j', (critical, words) => {
    expect(refusalOfRule({}, { classes: { critical } })).toEqual([expect.stringContaining(words)]);
  });

  it('refuses grants for a class of which every request is asked by a rule', () => {
    expect(refusalOfRule({}, { classes: { critical: { grants: true } } })).toEqual([
      expect.stringContaining('A rule that asks beats every grant, so only the class normal has grants.'),
    ]);
  });

  it.each([
    ['NUL in a comment', 'version: 1\nrules: [] # a\0b\n', '2:14'],
    ['an escape sequence', 'version: 1\n\u001b[2Krules: []\n', '2:1'],
    ['a control character in a value', 'version: 1\nmode: "shadow\u0085"\nrules: []\n', '2:14'],
  ])('refuses %s, which no store and no terminal may get', (_what, text, place) => {
    expect(refusalOf(text)).toEqual([`${place} The document has a control character here.`]);
  });

  it('accepts what it enforces', () => {
    const classes = {
      normal: { grants: true },
      critical: { approvals: 1, timeout: '15m', grants: false, via: 'any' },
    };
    expect(refusalOfRule({}, { classes, changes: { widening: 2 }, mode: 'shadow' })).toEqual([]);
  });
});
