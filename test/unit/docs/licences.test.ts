import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly license?: string;
  /** True for packages that only development needs. */
  readonly dev?: boolean;
}

const PERMISSIVE = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT', 'Python-2.0'],
]);
const ONLY_IN_DEVELOPMENT = new Set(['CC-BY-4.0', 'MPL-2.0', 'Unlicense']);

const lock = readFileSync(join(__dirname, '../../../package-lock.json'), 'utf8');
const packages = Object.entries((JSON.parse(lock) as { packages: Record<string, LockedPackage> }).packages);

/** True if the list allows one of the alternatives of an SPDX expression, with all of its parts. */
function isAllowed(expression: string, dev: boolean): boolean {
  const allowed = (id: string) => PERMISSIVE.has(id) || (dev && ONLY_IN_DEVELOPMENT.has(id));
  const alternatives = expression.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every(allowed));
}

it('every package of the lock file has a licence that docs/dependencies.md allows', () => {
  const refused = packages
    .filter(([path]) => path !== '')
    .filter(([, { license = '', dev = false }]) => !isAllowed(license, dev))
    .map(([path, { license }]) => `${path}: ${license ?? 'no licence'}`);
  expect(refused).toEqual([]);
});

it.each([
  ['MIT', false, true],
  ['(MIT OR GPL-3.0-only)', false, true],
  ['Apache-2.0 AND MIT', false, true],
  ['MIT AND GPL-3.0-only', false, false],
  ['GPL-3.0-only', true, false],
  ['CC-BY-4.0', true, true],
  ['CC-BY-4.0', false, false],
  ['', true, false],
])('the licence "%s", only in development: %s, is allowed: %s', (expression, dev, expected) => {
  expect(isAllowed(expression, dev)).toBe(expected);
});
