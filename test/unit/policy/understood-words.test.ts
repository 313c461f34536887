import { verdictOf, type WrittenRule } from '../../support/policy-scene';

const look: WrittenRule = {
  id: 'look',
  decision: 'allow',
  match: {
    key: '*',
    tool: 'Bash',
    cwd: '/srv/*/shop/**',
    command: {
      argv: [{ any: ['cat', 'head', 'ls', 'grep', 'rg'] }],
      flags: ['-la', '-n', '-rn', '--include=', '--file=:path', '-:any'],
      operands: 'path',
      writes: ['**'],
    },
  },
};
const secrets: WrittenRule = {
  id: 'secrets',
  decision: 'ask',
  match: {
    tool: ['Bash', 'Read'],
    path: ['**/.env', '**/.env.*', '**/.npmrc', '**/*.pem', '~/.ssh/**', '~/.aws/**'],
  },
};
const deny = (match: object): WrittenRule => ({ id: 'never', decision: 'deny', match });
const vault = deny({ path: '/srv/*/shop/vault/**' });
const key = deny({ path: '/srv/*/shop/prod.key' });
const cwdKey = deny({ path: '${cwd}/cwd.key' });

const decide = (command: string, rule: WrittenRule, cwd = '/srv/ada/shop', allow = look) =>
  verdictOf([allow, rule], { toolInput: { command }, cwd }).decision;

describe('a path rule sees in a command line that is understood', () => {
  it.each([
    ['cat .e""nv'],
    [`cat '.en'v`],
    ['cat ".en""v"'],
    [`cat .n''pmrc`],
    ['head "."env'],
    [`cat server.p'e'm`],
    [`grep -rn x --include='.e'nv`],
    [`cat -f'.e'nv`],
    [`cat x > .e''nv`],
  ])('the words without quotes: %s', (command) => {
    expect(verdictOf([look, secrets], { toolInput: { command } })).toMatchObject({
      decision: 'ask',
      rules: ['secrets'],
    });
  });

  it.each([
    ['cat "va"ult/x', vault],
    ['cat prod.key', key],
    ['cat -fprod.key', key],
    ['cat --file=prod.key', key],
    ['cat x > prod.key', key],
    ['cat cwd.key', cwdKey],
    ['ls vault', vault],
    ['grep -rn KEY vault', vault],
    ['cd vault && cat x', vault],
    ['cd vault && ls', vault],
    ['cd src && cat ../prod.key', key],
    ['cd src && ls; cat ../prod.key', key],
    ['cd src && cat ../cwd.key', cwdKey],
  ])('each word, in the directories where it may be read: %s', (command, rule) => {
    expect(decide(command, rule)).toBe('deny');
  });

  it('the directory in which a command runs', () => {
    expect(decide('cat x', vault, '/srv/ada/shop/vault')).toBe('deny');
    expect(decide('cat x', vault, '/srv/ada/shop/vault/deep')).toBe('deny');
    expect(decide('cat x', vault, '/srv/ada/shop/src')).toBe('allow');
  });

  it.each([
    'ls .',
    'grep -rn KEY .',
    'grep -rn KEY',
    'rg KEY',
    'rg -n 3 KEY',
    'cd . && rg KEY',
    'grep -rn KEY /srv/ada/shop',
    'ls src/..',
  ])('a directory above the path, and asks: %s', (command) => {
    expect(decide(command, vault)).toBe('ask');
    expect(decide(command, deny({ path: '${cwd}/vault/**' }))).toBe('ask');
  });

  it('a home above the path, and asks', () => {
    const allow = { ...look, match: { ...(look['match'] as object), cwd: '/home/ada/**' } };
    const ssh = deny({ path: '~/.ssh/**' });
    expect(decide('grep -rn KEY .', ssh, '/home/ada', allow)).toBe('ask');
    expect(decide('grep -rn KEY .', ssh, '/home/ada/shop', allow)).toBe('allow');
  });

  it('any path where the request leaves the directory out', () => {
    const anywhere = {
      id: 'a',
      decision: 'allow',
      match: { key: '*', tool: 'Bash', command: { argv: ['cat'], operands: 'any' } },
    };
    const withoutDirectory = { toolInput: { command: 'cat prod.key' }, cwd: null };
    expect(verdictOf([anywhere, key], withoutDirectory).decision).toBe(key.decision);
  });

  it.each([
    'cat src/a.ts',
    'ls src',
    'ls -la',
    'cat vaults/x',
    'grep -rn KEY src',
    'rg KEY src',
    'cd src && grep -rn KEY .',
    'cat prod.keys',
    `cat '${'a'.repeat(300)}'`,
  ])('nothing in others: %s', (command) => {
    for (const rule of [secrets, vault, key, cwdKey]) expect(decide(command, rule)).toBe('allow');
  });
});

describe('a host rule sees in a command line that is understood', () => {
  const curl: WrittenRule = {
    id: 'curl',
    decision: 'allow',
    match: {
      key: '*',
      tool: 'Bash',
      command: { argv: [{ any: ['curl', 'get'] }], flags: ['-s', '--url=', '-:any'], operands: 'any' },
    },
  };
  const hosts = deny({ host: ['169.254.169.254', 'evil.example', 'port.example:8443'] });

  it.each([
    'curl -s 169.254.169.254/latest',
    'curl -s evil.example',
    `curl -s 'EVIL.example.:8080/x?y'`,
    'curl -s port.example:08443/x',
    'curl -s user@evil.example/x',
    `curl -s http://'169.254.169.254'/x`,
    `curl -s ht'tp'://evil.example/`,
    'curl -s http:evil.example',
    'curl -s http:/evil.example',
    'curl -s http:///evil.example',
    'curl -s gopher:/evil.example',
    `curl -s 'http://[::ffff:a9fe:a9fe]/'`,
    `curl -s '[::ffff:169.254.169.254]:80/x'`,
    `curl -s 'http://[::ffff:169.254.169.254%25eth0]/'`,
    `curl -s http://0xa9fe'a9fe'/`,
    'curl -s 2852039166',
    `curl -s --url='e'vil.example`,
    `curl -s -x'e'vil.example:3128 good.example`,
    `get 'evil'.example`,
  ])('every form that curl reads: %s', (command) => {
    expect(decide(command, hosts, undefined, curl)).toBe('deny');
  });

  it.each([
    `curl -s 'http://169.254.169.25[4-4]/'`,
    `curl -s 'http://[1-1]69.254.169.254/'`,
    `curl -s '{evil}.example'`,
    `get 'http://{evil}.example'`,
  ])('a pattern that curl expands, and asks: %s', (command) => {
    expect(decide(command, hosts, undefined, curl)).toBe('ask');
  });

  it.each(['curl -s good.example', 'curl -s http://good.example/evil.example', `get '[a-z]{2}'`])(
    'nothing in others: %s',
    (command) => {
      expect(decide(command, hosts, undefined, curl)).toBe('allow');
    },
  );

  it('every host of a program that asks hosts, for a rule about all', () => {
    const all = deny({ tool: 'Bash', host: '*' });
    expect(decide('curl -s good.example', all, undefined, curl)).toBe('deny');
    expect(decide('get http:good.example', all, undefined, curl)).toBe('deny');
    expect(decide('cat package.json', all)).toBe('allow');
  });

  it.each(['http://[::ffff:169.254.169.254]/', 'http://[::ffff:a9fe:a9fe]/x'])(
    'an IPv4 address in an IPv6 address, in WebFetch too: %s',
    (url) => {
      const request = { toolName: 'WebFetch', toolInput: { url, prompt: '' } };
      expect(verdictOf([hosts], request).decision).toBe('deny');
    },
  );
});
