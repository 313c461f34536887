import type { PolicyRequest } from '../../../src/policy/evaluation/policy-request';
import { decisionOf, verdictOf } from '../../support/policy-scene';

const production = {
  decision: 'ask',
  class: 'critical',
  match: { command: { mentions: [['terraform', 'apply'], ['kubectl']] } },
};
const keys = { decision: 'deny', match: { path: ['~/.ssh/**', '/root/.ssh/**'] } };
const hosts = { decision: 'deny', match: { host: ['evil.example'] } };
const others = { classes: { critical: {} } };

describe('security 21: the command of an unknown tool', () => {
  it.each([
    { cmd: 'terraform apply' },
    { command: 'terraform', args: ['apply', '-auto-approve'] },
    { args: ['apply', '-auto-approve'], command: 'terraform' },
    { command: ['terraform', 'apply'] },
    { steps: { kubectl: { verb: 'get' } } },
    { texts: Array.from({ length: 300 }, () => 'x'), command: 'terraform', args: ['apply'] },
  ])('is found however its words are divided: %j', (toolInput) => {
    const { class: found } = verdictOf([production], { toolName: 'mcp__shell__run', toolInput }, { others });
    expect(found).toBe('critical');
  });
});

describe('security 21: a rule that denies a command', () => {
  const rule = { decision: 'deny', match: { command: { mentions: [['terraform', 'apply']] } } };
  const verdictAbout = (toolInput: PolicyRequest['toolInput']) =>
    verdictOf([rule], { toolName: 'mcp__shell__run', toolInput });

  it.each([
    { command: 'terraform', args: ['apply', '-auto-approve'] },
    { args: ['apply', '-auto-approve'], cwd: '/srv', command: '/usr/bin/terraform' },
    { argv: ['terraform', '-chdir=a', 'apply'] },
    { steps: [{ program: 'terraform', arguments: ['apply'] }] },
    { texts: Array.from({ length: 300 }, () => 'x'), then: 'terraform apply' },
  ])('denies it as a program with a list of arguments: %j', (toolInput) => {
    expect(verdictAbout(toolInput).decision).toBe('deny');
  });

  it.each([
    { title: 'apply the mend', body: 'as the pages of terraform say' },
    { title: 'terraform pages', labels: ['apply'] },
    { program: 'terraform', subcommand: 'apply' },
    { terraform: { apply: true } },
    { args: ['apply', 'terraform'] },
  ])('asks with a doubt where its words are scattered: %j', (toolInput) => {
    expect(verdictAbout(toolInput)).toMatchObject({ decision: 'ask', doubt: { reason: 'command' } });
  });

  it.each([
    { text: 'apply the pages of terraform' },
    { text: ['apply the pages of terraform'], title: 'a plan' },
    { title: 'terraform', body: 'a plan' },
  ])('says nothing about %j', (toolInput) => {
    expect(verdictAbout(toolInput)).toMatchObject({ decision: 'ask', doubt: null });
  });

  it.each([
    ['deny', { command: 'rm', args: ['-rf', 'x'] }],
    ['ask', { command: 'rm', args: '-rf x' }],
    ['allow', { command: 'rm x && ls -r' }],
    ['deny', { command: 'rm x && rm -r y' }],
    ['ask', { texts: Array.from({ length: 10_000 }, () => '') }],
  ])('decides %s where a flag is needed: %j', (decision, toolInput) => {
    const rules = [
      { decision: 'deny', match: { command: { argv: ['rm'], flags: ['-r'] } } },
      { decision: 'allow', match: { key: '*', tool: 'mcp__shell__run' } },
    ];
    expect(verdictOf(rules, { toolName: 'mcp__shell__run', toolInput }).decision).toBe(decision);
  });
});

describe('security 21: a path or a host of an unknown tool', () => {
  it.each([
    { files: { '/root/.ssh/authorized_keys': 'x' } },
    { uri: 'file:///root/%2essh/x' },
    { headers: { 'https://evil.example/': 1 } },
    { host: 'evil.example' },
    { address: 'evil.example:443' },
  ])('is found in names of members, in escapes and alone: %j', (toolInput) => {
    expect(verdictOf([keys, hosts], { toolName: 'mcp__x', toolInput }).decision).toBe('deny');
  });
});

describe('security 21: a member that is not of the known tool', () => {
  it.each([
    ['Write', { file_path: '/tmp/x', content: '', filePath: '/root/.ssh/x' }],
    ['WebFetch', { url: 'https://good.example/', prompt: 'x', uri: 'https://evil.example/' }],
    ['Write', { file_path: '/tmp/x', content: '', host: 'evil.example' }],
    ['Bash', { command: 'ls', path: '/root/.ssh/x' }],
  ])('is searched by rules that deny: %s %j', (toolName, toolInput) => {
    expect(verdictOf([keys, hosts], { toolName, toolInput }).decision).toBe('deny');
  });

  it.each([
    ['Bash', { command: 'ls', script: 'kubectl get pods' }],
    ['Write', { file_path: '/tmp/x', content: '', then: ['kubectl', 'get'] }],
  ])('is searched for commands: %s %j', (toolName, toolInput) => {
    expect(verdictOf([production], { toolName, toolInput }, { others }).class).toBe('critical');
  });

  it('leaves what a known member says alone', () => {
    const toolInput = { file_path: '/tmp/x', content: 'kubectl https://evil.example/ /root/.ssh/x' };
    expect(verdictOf([keys, hosts], { toolName: 'Write', toolInput }).decision).toBe('ask');
    expect(verdictOf([production], { toolName: 'Write', toolInput }, { others }).class).toBe('normal');
  });
});

describe('security 21: the pattern of Glob', () => {
  const rule = {
    decision: 'allow',
    match: { key: '*', tool: 'Glob', cwd: '/srv/a/shop', path: '${cwd}/**' },
  };
  const decide = (pattern: string) =>
    decisionOf(rule, { toolName: 'Glob', toolInput: { pattern, path: '/srv/a/shop' } });

  it.each(['.{.,a}/.{.,a}/etc/*', '{.,a}{.,b}/x', '.{,x}./x', '{{a,b},.}./x', '.{.,{a,b}}/x', '{,/etc}/x'])(
    'asks where a list in braces may make a ..: %s',
    (pattern) => {
      expect(decide(pattern)).toBe('ask');
    },
  );

  it.each(['**/*.ts', '**/*.{ts,tsx}', 'src/{a,b}/*.{test,spec}.ts', '{*.ts,*.js}'])(
    'allows %s',
    (pattern) => {
      expect(decide(pattern)).toBe('allow');
    },
  );
});

describe('security 21: a command in a directory with a long name', () => {
  const cwd = '/a'.repeat(2_000);
  const pieces = Array.from({ length: 2_000 }, (_, i) => `a${i}`);
  const away = Array.from({ length: 7 }, (_, i) => `cd d${i}`).join(' && ');

  it.each([`${away} && ls; x ${pieces.join(',')}`, `cat ${pieces.map((piece) => `./${piece}`).join(' ')}`])(
    'is asked without resolving each of its words there',
    (command) => {
      const rules = [
        keys,
        {
          decision: 'allow',
          match: { key: '*', tool: 'Bash', command: { argv: ['cat'], operands: 'path' } },
        },
      ];
      expect(verdictOf(rules, { cwd, toolInput: { command } })).toMatchObject({
        decision: 'ask',
        doubt: expect.anything() as unknown,
      });
    },
  );

  const names = [1, 2, 3].map((n) => String(n).repeat(200)).join('/');
  const cat = {
    decision: 'allow',
    match: { key: '*', tool: 'Bash', command: { argv: ['cat'], operands: 'any' } },
  };
  const deny = (path: string) => ({ decision: 'deny', match: { path } });

  it('leads around no rule that denies', () => {
    const command = `cd /srv/${names} && cat ../../../secret/x`;
    expect(
      verdictOf([cat, deny('/srv/secret/**')], { cwd: '/srv', toolInput: { command } }).decision,
    ).not.toBe('allow');
    const own = { cwd: `/srv/${names}`, toolInput: { command: 'cat secret' } };
    expect(verdictOf([cat, deny('${cwd}/secret')], own).decision).not.toBe('allow');
  });

  it('is not denied by a rule about another directory', () => {
    const request = { cwd: `/srv/${names}`, toolInput: { command: 'git status' } };
    expect(verdictOf([deny('/srv/keys/**')], request).decision).toBe('ask');
  });
});
