import { globFault } from '../../../src/policy/matchers/glob';
import { compileTextPattern } from '../../../src/policy/matchers/text-pattern';
import { decisionOf } from '../../support/policy-scene';

describe('a glob of names and texts', () => {
  it.each([
    ['*drop*', 'drop table a/b', true],
    ['*drop*', '/**/drop table a', true],
    ['*drop*', '\ndrop', true],
    ['*drop*', '\rdrop', true],
    ['*drop*', '\u2028drop', true],
    ['*drop*', `${'x'.repeat(300)} drop`, true],
    ['*drop*', 'DROP', false],
    ['*drop*', 'dro', false],
    ['bad*', 'bad/1', true],
    ['bad*', 'a bad', false],
    ['acme/*', 'acme/shop/a', true],
    ['**', 'a/b\n', true],
    ['a?c', 'a/c', true],
    ['a?c', 'a\nc', true],
    ['a?c', 'a😀c', true],
    ['a?c', 'ac', false],
    ['v[0-9]*[^a-z]', 'v1/Z', true],
    ['v[0-9]*[^a-z]', 'v1/z', false],
    ['{get,list_*}_issue', 'list_my/_issue', true],
    ['{get,list_*}_issue', 'set_issue', false],
    ['{a,ab}c*', 'abcd', true],
    ['$(a|b)+.', '$(a|b)+.', true],
    ['*.a', 'xa', false],
  ])('%j with %j: %s', (pattern, text, matches) => {
    expect(compileTextPattern(pattern)(text)).toBe(matches);
  });

  it.each([
    [
      { input: { '/sql': { glob: '*drop*' } } },
      { toolName: 'mcp__q__run', toolInput: { sql: '\ndrop a/b' } },
    ],
    [{ agent: 'bad*' }, { agentId: 'bad/1' }],
    [{ tool: 'mcp__db__*' }, { toolName: 'mcp__db__x/drop', toolInput: {} }],
  ])('denies %j with %j', (match, request) => {
    expect(decisionOf({ decision: 'deny', match }, request)).toBe('deny');
  });
});

describe('the classes of a glob', () => {
  it.each(['[abc]', '**/[a-z]x', '[^.]*', '[a-zA-Z0-9_-]', 'app/[id]/page.tsx', '/srv/[^a-c]/{a,b}'])(
    '%s is accepted',
    (pattern) => {
      expect(globFault(pattern)).toBeNull();
    },
  );

  it.each([
    ['/srv/[!.]*', 'write [^…]'],
    ['**/[!a]bc/**', 'write [^…]'],
    ['**/[z-a]x', 'range z-a'],
    ['**/[Z-a]x', 'range Z-a'],
    ['[', 'not closed'],
    ['a]', 'not closed'],
    ['[]a]', 'empty'],
    ['[[:alpha:]]*', 'in another'],
    ['[a/b]', 'not closed'],
    ['[😀]', 'not closed'],
    ['{a,{b,c}}', 'within'],
  ])('%s is refused', (pattern, words) => {
    expect(globFault(pattern)).toContain(words);
  });
});
