import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../../support/processes';

const page = readFileSync(join(CHECKOUT, 'docs/production-readiness-checklist.md'), 'utf8');
const categories = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({
    title: text.split('\n')[0] ?? '',
    proofs: [...text.matchAll(/^\| .+? +\| `([^`]+)` +\|$/gm)].map(([, proof = '']) => proof),
    rows: [...text.matchAll(/^\| (?!item |-)/gm)].length,
    signed: /^Signed: /m.test(text),
  }));
const files = readdirSync(join(CHECKOUT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => join('test', path));

describe('docs/production-readiness-checklist.md', () => {
  it('has ten categories, the last of which is the decision', () => {
    expect(categories.map(({ title }) => Number.parseInt(title, 10))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(categories.at(-1)?.title).toMatch(/Go or no-go/);
  });

  it.each(categories.slice(0, -1))(
    '$title: every item has a proof, and the category a line to sign',
    (category) => {
      expect(category.rows).toBeGreaterThan(0);
      expect(category.proofs).toHaveLength(category.rows);
      expect(category.signed).toBe(true);
    },
  );

  it('names only tests that exist', () => {
    const named = categories
      .flatMap(({ proofs }) => proofs)
      .flatMap((proof) => proof.match(/\btest\/[\w/-]+/g) ?? []);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !files.some((file) => file.startsWith(path)))).toEqual([]);
  });
});
