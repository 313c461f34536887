import { CLAUDE_CODE_TOOLS } from '../../../src/agents/claude-code/claude-code-tools';
import type { JsonObject } from '../../../src/kernel/json';
import type { Policy } from '../../../src/policy/document/policy-schema';
import { compilePolicy } from '../../../src/policy/evaluation/compile-policy';
import type { DecidedRequest } from '../../../src/policy/suggest/decided-request';
import { suggestRules } from '../../../src/policy/suggest/suggest-rules';
import { replay } from '../../support/recorded-week';

const HOME = '/srv/ada/shop';

function decided(
  toolName: string,
  toolInput: JsonObject,
  {
    verdict = 'approved',
    cwd = HOME,
    key = 'ada',
  }: Partial<{ verdict: 'approved' | 'rejected'; cwd: string; key: string }> = {},
): DecidedRequest {
  const request = {
    toolName,
    toolInput,
    cwd,
    key,
    owner: null,
    connector: 'claude-code',
    agentId: 'a',
    sessionId: 's',
  };
  return { at: new Date(0), verdict, request: { ...request, mode: null, metadata: {} } };
}

const run = (command: string, options = {}) => decided('Bash', { command }, options);
const edit = (file_path: string, options = {}) =>
  decided('Edit', { file_path, old_string: 'a', new_string: 'b' }, options);
const fetchUrl = (url: string, options = {}) => decided('WebFetch', { url, prompt: 'p' }, options);

const suggest = (history: readonly DecidedRequest[], policy?: Policy) =>
  suggestRules(history, CLAUDE_CODE_TOOLS, policy).suggestions;

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('suggestRules', () => {
  it('suggests the very words of a command that was repeated, for its keys and directories', () => {
    const history = [
      ...times(3, run('git status --short')),
      run('git status --short', { cwd: '/srv/ben/shop', key: 'ben' }),
    ];
    expect(suggest(history)).toEqual([
      {
        rule: {
          id: 'suggested-git-status',
          decision: 'allow',
          match: {
            tool: 'Bash',
            key: ['ada', 'ben'],
            cwd: ['/srv/ada/shop', '/srv/ben/shop'],
            command: { argv: ['git', 'status', '--short'] },
          },
        },
        saves: 4,
      },
    ]);
  });

  it('leaves open only the flags that were seen, and paths', () => {
    const lines = ['git diff', 'git diff --stat', 'git diff --cached -- src/a.ts', 'git diff -20'];
    const [first] = suggest(lines.map((line) => run(line)));
    expect(first?.rule.match?.command).toEqual({
      argv: ['git', 'diff'],
      flags: ['--stat', '--cached', '--', '-:int'],
      operands: 'path',
    });
  });

  it('suggests rules that need each other', () => {
    const rules = suggest([...times(3, run('git log')), ...times(4, run('git log | head -20'))]);
    expect(rules.map(({ rule, saves }) => [rule.id, saves])).toEqual([
      ['suggested-git-log', 3],
      ['suggested-head', 4],
    ]);
  });

  it.each([
    ['nothing that was approved less than three times', times(2, run('git status'))],
    ['no carrier', times(9, run('npm test'))],
    ['no interpreter', times(9, run('python3 tools/report.py'))],
    ['no command behind a wrapper', times(9, run('timeout 60 git status'))],
    ['no command that is not understood', times(9, run('git show $(cat head)'))],
    ['no command that writes where its operands say', times(9, run('cp src/a.ts src/b.ts'))],
    ['no redirect to a file', times(9, run('git diff > a.patch'))],
    ['no flag that runs code', times(9, run('git diff --ext-diff'))],
    [
      'nothing without a directory',
      times(9, decided('Bash', { command: 'git status' }, { cwd: '/srv/[a]/shop' })),
    ],
    ['no hidden file', times(9, edit(`${HOME}/.github/workflows/ci.yml`))],
    ['no file outside of the directory', times(9, edit('/etc/hosts'))],
    ['no tool whose input is free text', times(9, decided('WebSearch', { query: 'q' }))],
  ])('suggests %s', (_, history) => {
    expect(suggest(history)).toEqual([]);
  });

  it('tells subcommands of subcommands apart', () => {
    const history = [...times(3, run('git stash list')), run('git stash drop', { verdict: 'rejected' })];
    expect(suggest(history).map(({ rule }) => rule.match?.command)).toEqual([
      { argv: ['git', 'stash', 'list'] },
    ]);
  });

  it('suggests nothing that would have allowed a rejection, but the very words that were repeated', () => {
    const history = [
      ...['cat src/a.ts', 'cat src/b.ts', 'cat src/c.ts', 'cat src/c.ts'].map((line) => run(line)),
      run('cat .env', { verdict: 'rejected' }),
    ];
    expect(suggest(history)).toEqual([]);
    expect(suggest([...history, run('cat src/c.ts')]).map(({ rule }) => rule.match?.command)).toEqual([
      { argv: ['cat', 'src/c.ts'] },
    ]);
  });

  it('suggests no two rules that together would have allowed a rejection', () => {
    const history = [
      ...times(3, run('git status')),
      ...times(3, run('ls')),
      run('git status && ls', { verdict: 'rejected' }),
    ];
    expect(suggest(history)).toHaveLength(1);
  });

  it('counts a rejection that the policy catches as no obstacle', () => {
    const secrets: Policy = {
      version: 1,
      rules: [{ id: 'secrets', decision: 'ask', match: { tool: 'Bash', path: '**/.env' } }],
    };
    const history = [
      ...['cat src/a.ts', 'cat src/b.ts', 'cat src/c.ts'].map((line) => run(line)),
      run('cat .env', { verdict: 'rejected' }),
    ];
    expect(suggest(history, secrets)).toHaveLength(1);
  });

  it('suggests the directories of edits, without those that hold a rejection', () => {
    const history = [
      ...times(3, edit(`${HOME}/src/a.ts`)),
      ...times(3, edit(`${HOME}/infra/a.tf`)),
      edit(`${HOME}/infra/live.tf`, { verdict: 'rejected' }),
      ...times(3, edit(`${HOME}/CHANGELOG.md`)),
    ];
    const [first] = suggest(history);
    expect(first?.rule.match).toMatchObject({
      tool: ['Edit'],
      path: ['${cwd}/CHANGELOG.md', '${cwd}/src/**'],
    });
  });

  it('suggests the hosts that were fetched again and again', () => {
    const history = [
      ...times(3, fetchUrl('https://go.dev/doc/effective_go')),
      fetchUrl('https://example.org/'),
      fetchUrl('https://go.dev.example.net/', { verdict: 'rejected' }),
    ];
    expect(suggest(history).map(({ rule }) => rule.match)).toEqual([
      { tool: ['WebFetch'], key: ['ada'], host: ['go.dev'] },
    ]);
  });

  it('suggests tools of a server with the members that never changed', () => {
    const issue = (number: number) => decided('mcp__github__get_issue', { owner: 'o', repo: 'r', number });
    const history = [
      issue(1),
      issue(2),
      issue(3),
      decided('mcp__github__merge', { owner: 'o' }, { verdict: 'rejected' }),
    ];
    expect(suggest(history).map(({ rule }) => rule.match)).toEqual([
      {
        tool: ['mcp__github__get_issue'],
        key: ['ada'],
        input: { '/owner': { equals: 'o' }, '/repo': { equals: 'r' } },
      },
    ]);
  });

  it('counts the approvals that the policy gives already, and takes no id of its rules', () => {
    const known: Policy = {
      version: 1,
      rules: [
        {
          id: 'suggested-git-log',
          decision: 'allow',
          match: { key: '*', command: { argv: ['git', 'status'] } },
        },
      ],
    };
    const history = [...times(5, run('git status')), ...times(3, run('git log'))];
    const { approvals, allowedBefore, suggestions } = suggestRules(history, CLAUDE_CODE_TOOLS, known);
    expect({ approvals, allowedBefore }).toEqual({ approvals: 8, allowedBefore: 5 });
    expect(suggestions.map(({ rule }) => rule.id)).toEqual(['suggested-git-log-2']);
  });

  it('says of each rule the number that the replay confirms', () => {
    const history = [
      'git diff',
      'git diff --stat',
      'git diff',
      'ls',
      'ls -la',
      'ls | head -3',
      'head -3',
      'head -3',
      'head -3',
    ];
    const approved = history.map((line) => run(line));
    const suggestions = suggest(approved);
    const rules = suggestions.map(({ rule }) => rule);
    const policy = compilePolicy({ policy: { version: 1, rules }, version: 'sha256:0' }, CLAUDE_CODE_TOOLS);
    const saved = suggestions.reduce((sum, { saves }) => sum + saves, 0);
    expect(replay(policy, approved).saved * approved.length).toBe(saved);
  });
});
