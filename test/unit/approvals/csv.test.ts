import { csvCell } from '../../../src/approvals/csv';

describe('a cell of CSV', () => {
  it.each([
    ['plain', '"plain"'],
    ['a "quote", and\nlines', '"a ""quote"", and\nlines"'],
    ['=HYPERLINK("http://evil")', `"'=HYPERLINK(""http://evil"")"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t=1"`],
    ['\r=1', `"'\r=1"`],
    ['  =1', `"'  =1"`],
    ['＝1', `"'＝1"`],
    ['a=1', '"a=1"'],
  ])('%j is %j, so that no spreadsheet runs it', (text, cell) => {
    expect(csvCell(text)).toBe(cell);
  });

  it('is as short as spreadsheets take', () => {
    expect(csvCell('x'.repeat(100_000)).length).toBeLessThan(32_767);
  });
});
