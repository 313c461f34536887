import fc from 'fast-check';
import { beginning, excerpt } from '../../../src/cards/excerpt';
import { visibleBlock } from '../../../src/cards/visible-text/visible-text';
import { hostileText } from './hostile-text';

const ESCAPE_OR_PAIR = /\\u\{[^}]*\}|[\ud800-\udbff][\udc00-\udfff]/g;

function unbroken(text: string): number {
  return [...text.matchAll(ESCAPE_OR_PAIR)].length;
}

describe('an excerpt', () => {
  it('holds the beginning and the end, counts the rest, and cuts no escape and no character', () => {
    fc.assert(
      fc.property(hostileText, fc.nat({ max: 200 }), (text, length) => {
        const visible = visibleBlock(text);
        fc.pre(visible.length > length);
        const { head, tail, leftOut } = excerpt(visible, length);
        expect(head.length + tail.length).toBeLessThanOrEqual(length);
        expect(head.length + leftOut + tail.length).toBe(visible.length);
        expect(visible.startsWith(head) && visible.endsWith(tail)).toBe(true);
        const middle = visible.slice(head.length, visible.length - tail.length);
        expect(unbroken(head) + unbroken(middle) + unbroken(tail)).toBe(unbroken(visible));
      }),
      { numRuns: 1000 },
    );
  });

  it('shows the payload at the end of a long line', () => {
    const { head, tail } = excerpt(`ls ${'x'.repeat(20_000)}; rm -rf /`, 100);
    expect(head).toMatch(/^ls /);
    expect(tail).toMatch(/; rm -rf \/$/);
  });
});

describe('a beginning', () => {
  it('is marked where it goes on', () => {
    expect(beginning('abcdef', 4)).toBe('abc…');
    expect(beginning('abcd', 4)).toBe('abcd');
    expect(beginning('ab\\u{202e}cd', 6)).toBe('ab…');
    expect(beginning('\u{1f600}\u{1f600}', 2)).toBe('…');
  });
});
