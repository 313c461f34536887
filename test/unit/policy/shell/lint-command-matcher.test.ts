import { commandMatcherSchema, type CommandMatcher } from '../../../../src/policy/shell/command-matcher';
import { lintCommandMatcher } from '../../../../src/policy/shell/lint-command-matcher';

function findings(matcher: CommandMatcher, usage: 'allow' | 'deny' | 'ask' = 'allow') {
  return lintCommandMatcher(commandMatcherSchema.parse(matcher), usage);
}

describe('the form of a command matcher', () => {
  it.each<unknown>([
    { argv: ['npm', 'run', { any: ['test', 'lint'] }] },
    {
      argv: ['git', 'log'],
      flags: ['--stat', '--format=', '--format=%h:%s', '-n:int', '-:int', '--', '+x'],
      operands: 'path',
    },
    { argv: ['report'], writes: ['coverage/**'] },
    { mentions: [['terraform', 'apply'], ['kubectl']] },
  ])('takes %j', (matcher) => {
    expect(commandMatcherSchema.safeParse(matcher).success).toBe(true);
  });

  it.each<[unknown, (string | number)[]]>([
    [{ argv: [] }, ['argv']],
    [{ argv: ['git', 1] }, ['argv', 1]],
    [{ argv: ['git', { any: [] }] }, ['argv', 1, 'any']],
    [{ argv: ['git', { all: ['x'] }] }, ['argv', 1]],
    [{ argv: ['git'], flags: ['stat'] }, ['flags', 0]],
    [{ argv: ['git'], flags: ['-n:number'] }, ['flags', 0]],
    [{ argv: ['git'], flags: ['-n 5'] }, ['flags', 0]],
    [{ argv: ['git'], operands: 'paths' }, ['operands']],
    [{ argv: ['git'], operand: 'path' }, []],
    [{ mentions: ['kubectl'] }, ['mentions', 0]],
    [{ mentions: [['terraform apply']] }, ['mentions', 0, 0]],
    [{ mentions: [[]] }, ['mentions', 0]],
  ])('refuses %j', (matcher, path) => {
    const { error } = commandMatcherSchema.safeParse(matcher);
    expect(error?.issues[0]?.path).toEqual(path);
  });
});

describe('an allow rule', () => {
  it.each<CommandMatcher>([
    { argv: ['npm', 'run', { any: ['test', 'lint', 'build'] }] },
    {
      argv: ['git', { any: ['status', 'diff', 'log', 'show'] }],
      flags: ['--stat', '-n:int', '-C'],
      operands: 'path',
    },
    { argv: ['timeout', '60', 'npm', 'test'] },
    { argv: ['node', '--version'] },
    { argv: ['find'], flags: ['-name:any', '-type:any', '-maxdepth:int'], operands: 'path' },
    { argv: ['grep'], flags: ['-rn', '-e:any', '--include='], operands: 'any' },
    { argv: ['head'], flags: ['-:int', '-n:int'], operands: 'path' },
    { argv: ['kubectl', 'get', 'pods'], flags: ['-n:any', '-o:any'] },
    { argv: ['report'], writes: ['coverage/**', '*.log', '/tmp/report/*'] },
  ])('%j has no finding', (matcher) => {
    expect(findings(matcher)).toEqual([]);
  });

  it('must say which command it allows, and cannot mention one', () => {
    expect(findings({ mentions: [['git']] }).map(({ path, iKnow }) => ({ path, iKnow }))).toEqual([
      { path: ['mentions'], iKnow: null },
      { path: ['argv'], iKnow: null },
    ]);
  });

  it.each([
    'cd',
    'alias',
    'export',
    'source',
    '.',
    'eval',
    'exec',
    'command',
    'time',
    '!',
    'noglob',
    'trap',
    'hash',
  ])('cannot allow %s, which changes the shell, whatever the rule says', (word) => {
    expect(findings({ argv: [word, 'x'] })).toMatchObject([
      { path: ['argv', 0], severity: 'error', iKnow: null },
    ]);
  });

  it.each(['a b', '$x', '[', 'A=1', '*', "it's"])('cannot have the command word %j', (word) => {
    expect(findings({ argv: [word] })).toMatchObject([{ path: ['argv', 0], severity: 'error', iKnow: null }]);
  });

  it.each([
    ...[
      'env',
      'timeout',
      'xargs',
      'sudo',
      'nice',
      'nohup',
      'busybox',
      'sh',
      'bash',
      'zsh',
      'python',
      'python3.11',
      'node',
      'perl',
    ],
    ...[
      'awk',
      'sed',
      'ssh',
      'docker',
      'kubectl',
      'npx',
      'make',
      '/usr/bin/env',
      'Python.exe',
      'npm',
      'pip3',
      'vim',
      'less',
      'man',
    ],
    ...['git', 'cargo', 'go', 'gh', 'psql', 'sqlite3', 'watch', 'parallel', 'tmux', 'test'],
  ])('that leaves the operands of %s open is refused, unless it says i-know: carrier', (command) => {
    for (const open of [
      { operands: 'any' },
      { operands: 'path' },
      { flags: ['--x='] },
      { flags: ['-x:path'] },
    ] as const)
      expect(findings({ argv: [command], ...open } as CommandMatcher)).toContainEqual(
        expect.objectContaining({ path: ['argv', 0], severity: 'error', iKnow: 'carrier' }),
      );
    expect(findings({ argv: [command, 'x'] })).toEqual([]);
  });

  it('names each carrier of several commands', () => {
    const found = findings({ argv: [{ any: ['ls', 'bash', 'cat', 'node'] }], operands: 'path' });
    expect(found.map(({ path }) => path)).toEqual([
      ['argv', 0, 'any', 1],
      ['argv', 0, 'any', 3],
    ]);
  });

  it.each([
    ['git', 'config'],
    ['git', 'submodule'],
    ['git', 'push'],
    ['cargo', 'run'],
    ['go', 'test'],
    ['docker', 'exec'],
    ['kubectl', 'exec'],
  ])('that leaves the operands of %s %s open is refused', (command, subcommand) => {
    expect(findings({ argv: [command, { any: ['x', subcommand] }], operands: 'any' })).toMatchObject([
      { path: ['argv', 0], iKnow: 'carrier' },
    ]);
  });

  it.each([
    ['find', '-exec'],
    ['find', '-execdir'],
    ['find', '-delete'],
    ['find', '-fprintf'],
    ['find', '-ok:any'],
    ['tar', '--checkpoint-action='],
    ['tar', '--checkpoint-action=exec=id'],
    ['tar', '--to-command=x'],
    ['tar', '-I:any'],
    ['tar', '-Izstd'],
    ['tar', '-xzf'],
    ['rg', '--pre:any'],
    ['sort', '--compress-program='],
    ['sort', '--comp='],
    ['sort', '-o:path'],
    ['sort', '-uo'],
    ['sort', '-ofile'],
    ['man', '-P:any'],
    ['npm', '--prefix=/tmp'],
    ['npm', '-C:path'],
    ['npm', '--script-shell=x'],
    ['git', '--output='],
    ['git', '--outp=x'],
    ['git', '--ext-diff'],
    ['git', '--textconv'],
    ['git', '-O:path'],
    ['git', '--upload-pack=x'],
    ['sed', '-i'],
    ['curl', '-so'],
    ['jest', '--globalSetup='],
    ['kubectl', '--kubeconfig=x'],
  ])('of %s that lists %s is refused, unless it says i-know: carrier', (command, entry) => {
    expect(findings({ argv: [command, 'sub'], flags: [entry] })).toContainEqual(
      expect.objectContaining({ path: ['flags', 0], severity: 'error', iKnow: 'carrier' }),
    );
  });

  it.each([
    [['git', '-c', 'a=b', 'log'], 1],
    [['git', '-C', '/tmp', 'status'], 1],
    [['git', '-p', 'log'], 1],
    [['git', '--exec-path=/tmp', 'log'], 1],
    [['git', '--git-dir=/tmp', 'log'], 1],
    [['git', 'diff', '--output=x'], 2],
    [['find', '.', '-exec', 'x'], 2],
  ])('with %j in its argv is refused, unless it says i-know: carrier', (argv, at) => {
    expect(findings({ argv })).toMatchObject([{ path: ['argv', at], iKnow: 'carrier' }]);
  });

  it.each(['-C', '-p', '-c'])(
    'may list %s for a subcommand of git, where it means something else',
    (entry) => {
      expect(findings({ argv: ['git', 'diff'], flags: [entry] })).toEqual([]);
    },
  );

  it('that lets the agent choose which files a command writes gets a warning', () => {
    expect(findings({ argv: ['cp'], operands: 'path' })).toMatchObject([
      { severity: 'warning', path: ['argv', 0] },
    ]);
    expect(findings({ argv: ['cp', 'a', 'b'] })).toEqual([]);
  });

  it.each(['**', '*', '/**', '${cwd}/**', '../x', '~/x', 'a/../../x', '**/*'])('cannot write %s', (glob) => {
    expect(findings({ argv: ['report'], writes: ['out/**', glob] })).toMatchObject([
      { path: ['writes', 1], severity: 'error', iKnow: null },
    ]);
  });

  it('says why and how to fix it', () => {
    expect(findings({ argv: ['bash'], operands: 'path' })).toEqual([
      {
        path: ['argv', 0],
        message:
          'bash runs the program in its operands or in a file: with operands: path this rule allows any command.',
        fix: expect.stringContaining('add `i-know: carrier` to the rule') as string,
        severity: 'error',
        iKnow: 'carrier',
      },
    ]);
  });
});

describe.each(['deny', 'ask'] as const)('a rule that says %s', (usage) => {
  it.each<CommandMatcher>([
    { argv: ['git', 'push'], flags: ['--force'] },
    { argv: ['bash'] },
    { mentions: [['kubectl']] },
    { argv: ['eval'] },
  ])('may have %j', (matcher) => {
    expect(findings(matcher, usage)).toEqual([]);
  });

  it.each<[CommandMatcher, string]>([
    [{}, 'argv'],
    [{ flags: ['-x'], mentions: [['x']] }, 'flags'],
    [{ argv: ['x'], operands: 'path' }, 'operands'],
    [{ argv: ['x'], writes: ['x'] }, 'writes'],
  ])('cannot have %j', (matcher, member) => {
    expect(findings(matcher, usage)).toMatchObject([{ path: [member], severity: 'error', iKnow: null }]);
  });

  it.each(['-rf', '-xdf'])('is warned that the mention %s misses flags apart and long names', (token) => {
    expect(findings({ mentions: [['sudo'], ['rm', token]] }, usage)).toMatchObject([
      { path: ['mentions', 1, 1], severity: 'warning', fix: expect.stringContaining('[rm, -r]') as string },
    ]);
  });

  it('may mention one flag, or a long one with one dash', () => {
    expect(
      findings(
        {
          mentions: [
            ['rm', '-r'],
            ['find', '-exec'],
            ['rm', '--recursive'],
          ],
        },
        usage,
      ),
    ).toEqual([]);
  });
});
