import { readPolicy } from '../../../src/policy/document/read-policy';
import type { ImportOptions } from '../../../src/policy/import/imported';
import { importPolicy, writeImported } from '../../../src/policy/import/import-policy';

const HERE: ImportOptions = { key: 'ada', root: '/srv/ada/shop' };
const NOWHERE: ImportOptions = { key: '*', root: null };

function importOne(list: string, entry: string, options = HERE) {
  const { rules, leftOut } = importPolicy(JSON.stringify({ permissions: { [list]: [entry] } }), options);
  return rules[0] ? { decision: rules[0].decision, match: rules[0].match } : { leftOut: leftOut[0]?.reason };
}

const EDITS = ['Edit', 'MultiEdit', 'NotebookEdit', 'Write'];
const READS = ['Glob', 'Grep', 'LS', 'NotebookRead', 'Read'];

describe('Claude Code permissions', () => {
  it.each([
    // Commands that allow: the very words, and nothing with an open end.
    [
      'allow',
      'Bash(npm run build)',
      { tool: 'Bash', key: 'ada', command: { argv: ['npm', 'run', 'build'] } },
    ],
    [
      'allow',
      'Bash(git commit -m "a b")',
      { tool: 'Bash', key: 'ada', command: { argv: ['git', 'commit', '-m', 'a b'] } },
    ],
    // Commands that are caught: with anything between and behind.
    ['deny', 'Bash(git push)', { tool: 'Bash', command: { argv: ['git', 'push'] } }],
    ['deny', 'Bash(git push:*)', { tool: 'Bash', command: { argv: ['git', 'push'] } }],
    ['ask', 'Bash(git push *)', { tool: 'Bash', command: { argv: ['git', 'push'] } }],
    ['deny', 'Bash(git * main)', { tool: 'Bash', command: { argv: ['git', 'main'] } }],
    ['deny', 'Bash(* --version)', { tool: 'Bash', command: { argv: ['--version'] } }],
    ['deny', 'Bash', { tool: 'Bash' }],
    ['ask', 'Bash(*)', { tool: 'Bash' }],
    // Paths, as gitignore reads them.
    ['allow', 'Edit(//opt/shop/docs/**)', { tool: EDITS, key: 'ada', path: ['/opt/shop/docs/**'] }],
    ['allow', 'Edit(/src/**)', { tool: EDITS, key: 'ada', path: ['/srv/ada/shop/src/**'] }],
    ['allow', 'Edit(src/**)', { tool: EDITS, key: 'ada', cwd: '/srv/ada/shop', path: ['${cwd}/src/**'] }],
    ['allow', 'Read(./src/**)', { tool: READS, key: 'ada', cwd: '/srv/ada/shop', path: ['${cwd}/src/**'] }],
    [
      'allow',
      'Edit(docs/)',
      { tool: EDITS, key: 'ada', cwd: '/srv/ada/shop', path: ['${cwd}/**/docs', '${cwd}/**/docs/**'] },
    ],
    ['deny', 'Read(.env)', { tool: READS, path: ['${cwd}/**/.env', '${cwd}/**/.env/**'] }],
    ['deny', 'Read(./.env)', { tool: READS, path: ['${cwd}/.env', '${cwd}/.env/**'] }],
    ['deny', 'Read(~/.ssh/**)', { tool: READS, path: ['~/.ssh/**'] }],
    [
      'ask',
      'Edit(/package.json)',
      { tool: EDITS, path: ['/srv/ada/shop/package.json', '/srv/ada/shop/package.json/**'] },
    ],
    ['deny', 'Edit', { tool: EDITS }],
    // Hosts and tools.
    ['allow', 'WebFetch(domain:docs.rs)', { tool: 'WebFetch', key: 'ada', host: 'docs.rs' }],
    ['allow', 'WebFetch(domain:*.rust-lang.org)', { tool: 'WebFetch', key: 'ada', host: '*.rust-lang.org' }],
    ['allow', 'WebSearch', { tool: 'WebSearch', key: 'ada' }],
    ['allow', 'mcp__github__get_issue', { tool: 'mcp__github__get_issue', key: 'ada' }],
    ['ask', 'mcp__github', { tool: 'mcp__github__*' }],
    ['deny', 'mcp__github__*', { tool: 'mcp__github__*' }],
  ])('translates %s %s', (list, entry, match) => {
    expect(importOne(list, entry)).toEqual({ decision: list, match });
  });

  it.each([
    ['allow', 'Bash', /every command/],
    ['allow', 'Bash(npm run test:*)', /every flag and operand.*argv: \[npm, run, test\]/],
    ['allow', 'Bash(git log *)', /every flag and operand/],
    ['allow', 'Bash(git * main)', /every flag and operand/],
    ['deny', 'Bash(ls*)', /parts of words/],
    ['deny', 'Bash(curl --output=*)', /parts of words/],
    ['allow', 'Bash(git status && git diff)', /several commands/],
    ['allow', 'Bash(git diff > /tmp/x)', /writes a file/],
    ['allow', 'Bash(echo $HOME)', /expansion/],
    ['allow', 'Bash(source .venv/bin/activate)', /changes the shell/],
    ['allow', 'Edit', /every file/],
    ['allow', 'Edit(~/notes/**)', /home of the agent/],
    ['deny', 'Edit(!src/**)', /means something else/],
    ['deny', 'Edit(src/{a,b}/**)', /means something else/],
    ['deny', 'Edit(src/../x)', /"\.\."/],
    ['deny', 'Write(src/**)', /rules for Edit and Read/],
    ['allow', 'WebFetch', /every host/],
    ['allow', 'WebFetch(domain:*)', /every host/],
    ['allow', 'WebFetch(url:x)', /domain:host/],
    ['allow', 'mcp__github(get_issue)', /MCP tool/],
    ['allow', 'Agent(Explore)', /specifier of Agent/],
    ['deny', 'Bash(rm', /Tool\(specifier\)/],
  ])('leaves out %s %s', (list, entry, reason) => {
    expect(importOne(list, entry)).toEqual({ leftOut: expect.stringMatching(reason) as string });
  });

  it.each([
    ['allow', 'Edit(src/**)'],
    ['deny', 'Edit(/src/**)'],
  ])('leaves out %s %s where the project is not known', (list, entry) => {
    expect(importOne(list, entry, NOWHERE)).toEqual({ leftOut: expect.stringContaining('--root') as string });
  });

  it('names the line of each entry that it leaves out, and settings that are not rules', () => {
    const text =
      '{\n "permissions": {\n  "allow": [\n   "Bash(ls)",\n   "Bash(ls:*)"\n  ],\n  "defaultMode": "acceptEdits"\n }\n}';
    const { rules, leftOut } = importPolicy(text, HERE);
    expect(rules).toHaveLength(1);
    expect(leftOut.map(({ line, entry }) => [line, entry])).toEqual([
      [5, 'allow: Bash(ls:*)'],
      [7, 'defaultMode'],
    ]);
  });
});

describe('Codex rules', () => {
  const importRule = (text: string) => importPolicy(text, HERE);

  it('translates prompt and forbidden, with alternatives and the justification', () => {
    const { rules, leftOut } = importRule(`
# Rules of the team
prefix_rule(
    pattern = ["git", ["push", "fetch"]],  # both
    decision = "prompt",
    match = ["git push origin main"],
)
prefix_rule(pattern=["git", "reset", "--hard"], decision="forbidden", justification="Use \\"git stash\\".")
`);
    expect(leftOut).toEqual([]);
    expect(rules).toEqual([
      {
        id: 'imported-ask-git-push',
        decision: 'ask',
        match: { command: { argv: ['git', { any: ['push', 'fetch'] }] } },
      },
      {
        id: 'imported-deny-git-reset-hard',
        decision: 'deny',
        match: { command: { argv: ['git', 'reset', '--hard'] } },
        say: 'Use "git stash".',
      },
    ]);
  });

  it.each([
    ['prefix_rule(pattern=["ls"])', /every flag/],
    ['prefix_rule(pattern=["ls"], decision="allow")', /every flag/],
    ['prefix_rule(pattern=["ls"], decision="maybe")', /another decision/],
    ['prefix_rule(pattern=["l" + "s"], decision="prompt")', /names, texts and lists/],
    ['prefix_rule(["ls"])', /names, texts and lists/],
    ['host_executable(name="git", paths=["/usr/bin/git"])', /host_executable/],
    ['prefix_rule(pattern=["ls"', /names, texts and lists/],
  ])('leaves out %s', (text, reason) => {
    const { rules, leftOut } = importRule(`# first line\n${text}`);
    expect(rules).toEqual([]);
    expect(leftOut).toEqual([{ line: 2, entry: text, reason: expect.stringMatching(reason) as string }]);
  });
});

describe('writeImported', () => {
  it('writes a document that is read again, with a comment for each entry that is left out', () => {
    const allow = [
      'Bash(npm run build)',
      'Bash(npm run build:*)',
      'Edit(/src/**)',
      'WebFetch(domain:docs.rs)',
    ];
    const imported = importPolicy(JSON.stringify({ permissions: { allow, deny: ['Read(.env)'] } }), HERE);
    const text = writeImported(imported);
    expect(text).toMatch(/^# Left out: line 1, allow: Bash\(npm run build:\*\)\n# {3}It allows every flag/);
    expect(readPolicy(text).policy.rules).toEqual(imported.rules);
  });

  it('keeps an entry inside its comment', () => {
    const imported = importPolicy(
      JSON.stringify({ permissions: { allow: ['Agent(x)\nrules: []\u2028y'] } }),
      HERE,
    );
    expect(writeImported(imported).split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^# Left out/) as string,
      expect.stringMatching(/^# {3}/) as string,
    ]);
  });
});
