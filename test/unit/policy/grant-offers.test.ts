import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { covers, findOffers, type Offer } from '../../../src/policy/grants/offers';
import type { PolicyRequest } from '../../../src/policy/evaluation/policy-request';
import { requestOf } from '../../support/policy-scene';

const DIGEST = `sha256:${'0'.repeat(64)}`;

const bash = (command: string, more: Partial<PolicyRequest> = {}) =>
  requestOf({ toolInput: { command }, ...more });
const edit = (file_path: string) =>
  requestOf({ toolName: 'Edit', toolInput: { file_path, old_string: 'a', new_string: 'b' } });
const offersFor = (request: PolicyRequest) => findOffers(request, DIGEST, TOOL_SHAPES);
const wordsOf = (request: PolicyRequest) => offersFor(request).map(({ words }) => words);

/** The offer with these words, as a test of other requests. */
function scopeOf(request: PolicyRequest, words: RegExp): (other: PolicyRequest) => boolean {
  const found = offersFor(request).find((offer: Offer) => words.test(offer.words));
  if (!found) throw new Error(`no offer ${String(words)} in ${wordsOf(request).join(' | ')}`);
  return (other) => covers(found.scope, other, TOOL_SHAPES);
}

describe('offers of a grant', () => {
  it('are none where the rules cannot read the request within their bounds', () => {
    expect(wordsOf(edit(`/${'a/'.repeat(125_000)}x`))).toEqual([]);
  });

  it.each([
    ['a script of the project', bash('npm run test'), ['this exact action', 'npm run test in /srv/a/shop']],
    [
      'a change of directory',
      bash('cd web && npm run test'),
      ['this exact action', 'npm run test in /srv/a/shop/web'],
    ],
    [
      'reading the history',
      bash('git log --oneline -5 src/a.ts'),
      [
        'this exact action',
        'git log --oneline -5 src/a.ts in /srv/a/shop',
        'git status|diff|log|show|blame|ls-files … in /srv/a/shop',
      ],
    ],
    [
      'a tool on a file',
      bash('wc -l tests/test_a.py'),
      ['this exact action', 'wc -l tests/test_a.py in /srv/a/shop', 'wc -l with any files below /srv/a/shop'],
    ],
    [
      'an edit',
      edit('/srv/a/shop/src/pay/card.ts'),
      [
        'this exact action',
        'any Edit of /srv/a/shop/src/pay/card.ts',
        'Edit below /srv/a/shop/src/pay',
        'Edit below /srv/a/shop/src',
      ],
    ],
    [
      'a page',
      requestOf({ toolName: 'WebFetch', toolInput: { url: 'https://developer.mozilla.org/x', prompt: 'p' } }),
      ['this exact action', 'WebFetch at developer.mozilla.org'],
    ],
    [
      'a tool that the rules do not know',
      requestOf({ toolName: 'mcp__db__query', toolInput: { sql: 'select 1' } }),
      ['this exact action'],
    ],
  ])('name scopes in words, narrowest first: %s', (_, request, words) => {
    expect(wordsOf(request)).toEqual(words);
  });

  it.each([
    ['an interpreter', bash('python3 deploy.py')],
    ['a wrapper', bash('env FOO=1 git status')],
    ['a wrapper without an assignment', bash('timeout 5 git status')],
    ['a shell', bash('bash -c "git status"')],
    ['an option that runs code', bash('git log --output=x --ext-diff')],
    ['a subcommand that runs code', bash('git push origin main')],
    ['a command that runs what a package says', bash('npx eslint src/a.ts')],
    ['a substitution', bash('git log $(id)')],
    ['a line that is not understood', bash('git log; (id)')],
    ['a carrier behind a harmless command', bash('git status && make all')],
    ['a command that is missing', requestOf({ toolInput: {} })],
    ['a terminal', requestOf({ toolInput: { command: 'git status', run_in_background: true } })],
    ['a sandbox that is off', requestOf({ toolInput: { command: 'ls', dangerouslyDisableSandbox: true } })],
    ['a member that is not known', requestOf({ toolInput: { command: 'ls', later: 1 } })],
  ])('are none for %s', (_, request) => {
    expect(wordsOf(request)).toEqual([]);
  });

  it.each([
    ['a hidden file', edit('/srv/a/shop/.env')],
    ['a file that decides what runs', edit('/srv/a/shop/package.json')],
    ['instructions of the agent', edit('/srv/a/shop/CLAUDE.md')],
    ['a file outside the directory', edit('/etc/hosts')],
    ['a path that leads out', edit('/srv/a/shop/../other/a.ts')],
    ['a name that a glob reads otherwise', edit('/srv/a/shop/src/[id].ts')],
    ['a command that writes where it is told', bash('git status > out.txt')],
    ['a file that a copy would replace', bash('cp a.txt b.txt')],
    ['no directory', bash('git status', { cwd: null })],
    ['words that are too long for a card', bash(`ls ${'x'.repeat(200)}`)],
  ])('are no more than the exact action for %s', (_, request) => {
    for (const words of wordsOf(request)) expect(words).toMatch(/^this exact action$|^cp a\.txt b\.txt in/);
  });

  it.each([
    ['npm run test', /^npm run test/, ['npm run test'], ['npm run test -- --config=/tmp/x', 'npm run lint']],
    ['git diff', /^git status/, ['git log -5', 'git show src/a.ts'], ['git diff --output=x', 'git push']],
    [
      'git diff',
      /^git status/,
      ['git diff | git log'],
      ['git diff && id', 'git -c core.pager=x diff', 'git diff > a'],
    ],
    [
      'wc -l tests/a.py',
      /any files/,
      ['wc tests/b.py', 'wc -l'],
      ['wc /etc/x.py', 'wc ../x.py', 'wc -c x.py', 'wc'.concat(' --files0-from=/')],
    ],
  ])('of %s cover what their words say and nothing else', (command, words, covered, others) => {
    const isCovered = scopeOf(bash(command), words);
    expect(covered.filter((other) => !isCovered(bash(other)))).toEqual([]);
    expect(others.filter((other) => isCovered(bash(other)))).toEqual([]);
  });

  it('hold in the directory that their words name', () => {
    const isCovered = scopeOf(bash('npm run test'), /^npm run test/);
    expect(isCovered(bash('npm run test', { cwd: '/srv/b' }))).toBe(false);
    expect(isCovered(bash('cd sub && npm run test'))).toBe(false);
    expect(isCovered(bash('cd /srv/a/shop && npm run test', { cwd: '/tmp' }))).toBe(true);
  });

  it('of an edit keep out what runs later', () => {
    const isCovered = scopeOf(edit('/srv/a/shop/src/a.ts'), /below \/srv\/a\/shop\/src$/);
    expect(isCovered(edit('/srv/a/shop/src/deep/b.ts'))).toBe(true);
    const others = ['src/.env', 'src/.git/hooks/x', 'src/package.json', 'src/AGENTS.md', 'src/../x.ts'];
    expect(others.filter((path) => isCovered(edit(`/srv/a/shop/${path}`)))).toEqual([]);
  });

  it('have ids that only their scope decides', () => {
    const ids = (request: PolicyRequest) => offersFor(request).map(({ id }) => id);
    expect(ids(bash('npm run test', { sessionId: 'other', agentId: 'x' }))).toEqual(
      ids(bash('npm run test')),
    );
    expect(ids(bash('npm run lint'))[1]).not.toEqual(ids(bash('npm run test'))[1]);
  });
});
