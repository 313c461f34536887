import fc from 'fast-check';
import { diffLines, nearChanges, writeRows, type DiffRow } from '../../../src/cards/line-diff';

/** The text of one side of a change, read from its rows alone. */
function sideOf(rows: readonly DiffRow[], mark: '-' | '+'): string {
  return rows
    .filter(([each]) => each === ' ' || each === mark)
    .map(([, text]) => text)
    .join('\n');
}

const someLines = fc.array(fc.constantFrom('a', 'b', '', ' a', '+a', '@@ a @@'), { maxLength: 12 });
const text = someLines.map((lines) => lines.join('\n'));

describe('a change of lines', () => {
  it('holds both texts completely', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const rows = diffLines(before, after)?.rows ?? [];
        expect(sideOf(rows, '-')).toBe(before);
        expect(sideOf(rows, '+')).toBe(after);
      }),
    );
  });

  it('is written so that another change reads otherwise', () => {
    fc.assert(
      fc.property(text, text, text, text, (before, after, otherBefore, otherAfter) => {
        fc.pre(before !== otherBefore || after !== otherAfter);
        const write = (one: string, other: string) => writeRows(diffLines(one, other)?.rows ?? []);
        expect(write(before, after)).not.toBe(write(otherBefore, otherAfter));
      }),
      { numRuns: 500 },
    );
  });

  it('counts the places that change', () => {
    expect(diffLines('a\nb\nc', 'A\nb\nC')?.places).toBe(2);
    expect(diffLines('a\nb\nc', 'A\nB\nc')?.places).toBe(1);
    expect(diffLines('a', 'a')?.places).toBe(0);
  });

  it('is short where little changes in much, and says what it leaves out', () => {
    const many = Array.from({ length: 100 }, (_, i) => String(i));
    const { rows } = diffLines(many.join('\n'), many.with(50, 'new').join('\n')) ?? { rows: [] };
    expect(writeRows(nearChanges(rows))).toBe(
      '@@ 47 unchanged lines @@\n 47\n 48\n 49\n-50\n+new\n 51\n 52\n 53\n@@ 46 unchanged lines @@',
    );
  });

  it('is not looked for where that would take long', () => {
    const lines = (count: number, of: string) =>
      Array.from({ length: count }, (_, i) => `${of}${i}`).join('\n');
    expect(diffLines(lines(300, 'a'), lines(300, 'b'))).toBeNull();
    expect(diffLines(lines(20_000, 'a'), lines(20_000, 'a'))).toBeNull();
    expect(diffLines(lines(9_000, 'a'), `${lines(9_000, 'a')}\nmore`)?.places).toBe(1);
  });
});
