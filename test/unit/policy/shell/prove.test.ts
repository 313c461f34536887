import { commandMatcherSchema } from '../../../../src/policy/shell/command-matcher';
import { MAX_COMMANDS, parseCommand } from '../../../../src/policy/shell/parse-command';
import { prove, type Candidate } from '../../../../src/policy/shell/prove';

function rule(matcher: unknown, cwd: Candidate['cwd'] = null, id = 'rule'): Candidate {
  return { rule: id, matcher: commandMatcherSchema.parse(matcher), cwd };
}

function isAllowed(text: string, candidate: Candidate, cwd: string | null = '/srv/shop'): boolean {
  return prove(parseCommand(text), [candidate], cwd).allowed;
}

it('names every rule that allows a part of the line, and every word', () => {
  const rules = [
    rule({ argv: ['git', 'status'] }, null, 'git'),
    rule({ argv: ['npm', 'test'] }, null, 'npm'),
    rule({ argv: ['x'] }),
  ];
  expect(prove(parseCommand('npm test && git status && npm "test"'), rules, null)).toEqual({
    allowed: true,
    rules: ['npm', 'git'],
    tokens: ['npm', 'test', 'git', 'status', 'npm', 'test'],
  });
});

it('allows nothing without a rule, and tells a text that is understood from one in doubt', () => {
  expect(prove(parseCommand('git status'), [], null)).toEqual({ allowed: false, doubt: null });
  expect(prove(parseCommand('git $x'), [], null)).toEqual({ allowed: false, doubt: 'expansion' });
});

it('allows nothing by a rule that mentions', () => {
  expect(isAllowed('git status', rule({ argv: ['git', 'status'], mentions: [['git']] }))).toBe(false);
  expect(isAllowed('git status', rule({ mentions: [['git']] }))).toBe(false);
});

it(`allows up to ${MAX_COMMANDS} commands in a line`, () => {
  const line = Array.from({ length: MAX_COMMANDS }, () => 'git status').join('; ');
  expect(isAllowed(line, rule({ argv: ['git', 'status'] }))).toBe(true);
  expect(isAllowed(`${line}; git status`, rule({ argv: ['git', 'status'] }))).toBe(false);
});

it('takes the words of argv as they are, in their places', () => {
  const echo = rule({ argv: ['say', 'a b', { any: ['x', '-y'] }] });
  expect(isAllowed(`say 'a b' x`, echo)).toBe(true);
  expect(isAllowed(`say "a b" -y`, echo)).toBe(true);
  for (const text of ['say', 'say a b x', `say 'a b'`, `say 'a b' z`, `say 'a b' x x`, `say x 'a b'`])
    expect(isAllowed(text, echo)).toBe(false);
});

it('allows a path as a command word only where the rule writes it', () => {
  expect(isAllowed('./run', rule({ argv: ['./run'] }))).toBe(true);
  expect(isAllowed('run', rule({ argv: ['./run'] }))).toBe(false);
  expect(isAllowed('/srv/shop/run', rule({ argv: ['./run'] }))).toBe(false);
});

describe('flags', () => {
  const flags = [
    '--stat',
    '--max=:int',
    '--format=',
    '--color=never',
    '-n:int',
    '-C:path',
    '-e:any',
    '-:int',
  ];
  const show = rule({ argv: ['show'], flags });

  it.each([
    'show --stat',
    'show --max=5 --format=x --format= --color=never -n 5 -C src -e x -5',
    `show --format='a b' -e '$x' --stat --stat`,
  ])('are allowed as listed: %j', (text) => {
    expect(isAllowed(text, show)).toBe(true);
  });

  it.each([
    ...[
      '--sta',
      '--stat=x',
      '--stats',
      '--max',
      '--max=',
      '--max=x',
      '--max=-1',
      '--max 5',
      '--format',
      '--color=always',
      '--color',
    ],
    ...[
      '-n',
      '-n x',
      '-n5',
      '-n=5',
      '-n -5',
      '-C',
      '-C ..',
      '-C /etc',
      '-C --stat',
      '-e',
      '-e --stat',
      '-e -x',
      '-',
      '-x',
      '-5x',
      '--5',
    ],
    ...['--', '-- --stat', 'x', '-nC 5', '-n 5 5', '-n 1e9', "''"],
  ])('are not allowed otherwise: show %s', (rest) => {
    expect(isAllowed(`show ${rest}`, show)).toBe(false);
  });
});

describe('operands', () => {
  it('stay below the directory, if they are paths', () => {
    const cat = rule({ argv: ['cat'], operands: 'path' });
    for (const path of [
      'a',
      './a',
      'a/../b',
      '/srv/shop/a',
      '/srv/shop',
      '.',
      "'a b'",
      'a,b',
      'HEAD~1',
      '...',
    ])
      expect(isAllowed(`cat ${path}`, cat)).toBe(true);
    for (const path of [
      '..',
      '../a',
      'a/../../b',
      '/srv/shopping',
      '/',
      '/etc',
      'a=b',
      'a:b',
      '@a',
      '-a',
      '+a',
      "'!a'",
      "'&1'",
      "''",
    ])
      expect(isAllowed(`cat ${path}`, cat)).toBe(false);
  });

  it('are refused as paths where the directory is unknown or the root', () => {
    const cat = rule({ argv: ['cat'], operands: 'path' });
    for (const cwd of [null, '', 'C:\\shop', 'srv/shop', '/']) {
      expect(isAllowed('cat a', cat, cwd)).toBe(false);
      expect(isAllowed('cat', cat, cwd)).toBe(true);
    }
  });

  it('are any word that is not a flag, if the rule says so', () => {
    const grep = rule({ argv: ['grep'], operands: 'any', flags: ['--', '-r'] });
    for (const rest of ['x /etc/passwd', `'$x' "a b" ''`, '-r -- x -- y'.replace(' -- y', ' y')])
      expect(isAllowed(`grep ${rest}`, grep)).toBe(true);
    for (const rest of ['-x', '+x', '-', '-- -r', '-- -x', '-- --'])
      expect(isAllowed(`grep ${rest}`, grep)).toBe(false);
  });

  it('are none, if the rule does not say', () => {
    expect(isAllowed('npm run test x', rule({ argv: ['npm', 'run', 'test'] }))).toBe(false);
    expect(
      isAllowed(
        'npm run test -- --globalSetup=/tmp/x.js',
        rule({ argv: ['npm', 'run', 'test'], operands: 'path', flags: ['--'] }),
      ),
    ).toBe(false);
  });
});

describe('files that a command writes', () => {
  const report = rule({ argv: ['report'], writes: ['out/**', '*.log', '${cwd}/x', '/tmp/report/*'] });

  it.each([
    '> out/a',
    '>> out/a/b',
    '2>out/.hidden',
    '>| a.log',
    '1> ./out/a',
    '> /srv/shop/out/a',
    '> x',
    '> /tmp/report/a',
    '> a.log 2> b.log',
  ])('are those that the rule lists: %s', (redirect) => {
    expect(isAllowed(`report ${redirect}`, report)).toBe(true);
  });

  it.each([
    ...[
      '> a',
      '> out/../a',
      '> ../a.log',
      '> src/a.log',
      '> /tmp/report/a/b',
      '> /tmp/report/../a',
      '> /a.log',
      '> a.log > a',
    ],
    ...['< out/a', '<> out/a', '>& out/a', '&> out/a', '3> out/a', '> /dev/tcp/x/80'],
  ])('are no others: %s', (redirect) => {
    expect(isAllowed(`report ${redirect}`, report)).toBe(false);
  });

  it('are relative to the directory of the command', () => {
    expect(isAllowed('cd src && report > a.log', report)).toBe(true);
    expect(isAllowed('cd src && report > ../a.log', report)).toBe(false);
    expect(isAllowed('report > a.log', report, null)).toBe(false);
    expect(isAllowed('report > /tmp/report/a', report, null)).toBe(true);
    expect(isAllowed('report > tcp/x', rule({ argv: ['report'], writes: ['tcp/**'] }), '/dev')).toBe(false);
  });
});

describe('the directory', () => {
  const inShop = rule({ argv: ['npm', 'test'] }, (directory) => /^\/srv\/[^/]+\/shop$/.test(directory));

  it.each([
    ['npm test', '/srv/a/shop', true],
    ['npm test', '/srv/a/shop/', true],
    ['npm test', '/srv/a/shop/src', false],
    ['npm test', null, false],
    ['cd .. && npm test', '/srv/a/shop/src', true],
    ['cd /srv/b/shop && npm test', '/srv/a/shop', true],
    ['cd /srv/b/shop && npm test', null, true],
    ['cd /srv/b/shop && npm test; npm test', null, false],
    ['cd src && npm test', '/srv/a/shop', false],
    ['cd src && cd .. && npm test && npm test', '/srv/a/shop', true],
    ['cd src/.. && npm test', '/srv/a/shop', true],
    ['cd src && cd .. && npm test; npm test', '/srv/a/shop', false],
    ['npm test && cd /tmp && cd /srv/a/shop && npm test', '/srv/a/shop', true],
    ['cd /srv/b/shop && npm test || npm test', '/srv/a/shop', true],
    ['cd /srv/b/shop && npm test || npm test', '/tmp', false],
  ])('of %j in %j is one in which the rule holds: %s', (text, cwd, allowed) => {
    expect(isAllowed(text, inShop, cwd)).toBe(allowed);
  });

  it('of a rule that does not name one is where the line begins, or below', () => {
    const status = rule({ argv: ['git', 'status'] });
    expect(isAllowed('cd src && git status', status)).toBe(true);
    expect(isAllowed('cd /srv/shop/src && git status', status)).toBe(true);
    expect(isAllowed('cd .. && git status', status)).toBe(false);
    expect(isAllowed('cd /tmp && git status', status)).toBe(false);
    expect(isAllowed('cd /tmp && git status', status, null)).toBe(false);
    expect(isAllowed('cd src && git status', status, null)).toBe(false);
    expect(isAllowed('cd .. && git status', status, null)).toBe(false);
    expect(isAllowed('git status', status, null)).toBe(true);
  });

  it('of a line with many changes is in doubt', () => {
    const line = Array.from({ length: 12 }, (_, at) => `cd d${at} && git status`).join('; ');
    expect(prove(parseCommand(line), [rule({ argv: ['git', 'status'] })], '/srv')).toEqual({
      allowed: false,
      doubt: 'change of directory',
    });
  });
});
