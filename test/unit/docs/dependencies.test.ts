import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly overrides: Record<string, string>;
  readonly allowScripts: Record<string, boolean>;
}

interface LockedPackage {
  /** The real name of a package that is installed under an alias. */
  readonly name?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const locked = (JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> })
  .packages;
const document = read('docs/dependencies.md');

/** The cells of a section's table, without its head. */
function rowsOf(heading: string): string[][] {
  const section = document.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

const sections = [
  ['At run time', { ...manifest.dependencies, ...manifest.optionalDependencies }],
  ['In development', manifest.devDependencies],
] as const;

describe.each(sections)('docs/dependencies.md, %s', (heading, dependencies) => {
  const rows = rowsOf(heading);

  it('names every direct dependency once, and no other', () => {
    expect(rows.map(([, name]) => name).toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });

  it('gives a reason and the upkeep for each', () => {
    expect(rows.filter(([, , why, upkeep]) => !why || !upkeep)).toEqual([]);
  });

  it('tells the licence that the package has', () => {
    const told = rows.map(([, name = '', , , licence]) => [name, licence]);
    expect(told).toEqual(told.map(([name = '']) => [name, locked[`node_modules/${name}`]?.license]));
  });
});

describe('docs/dependencies.md, Overrides', () => {
  const rows = rowsOf('Overrides');

  it('names every override once, and no other, with what it replaces and why', () => {
    expect(rows.map(([, name]) => name).toSorted()).toEqual(Object.keys(manifest.overrides).toSorted());
    expect(rows.filter(([, , replaced, why]) => !replaced || !why)).toEqual([]);
  });
});

describe('docs/dependencies.md, Install scripts', () => {
  const packagesWithScripts = Object.entries(locked).flatMap(([path, { hasInstallScript }]) =>
    hasInstallScript === true ? [path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)] : [],
  );

  it('knows every package of the lock file that has one', () => {
    const rows = rowsOf('Install scripts').map(([, name = '']) => name);
    const covered = (name: string) =>
      rows.some((row) => (row.endsWith('/*') ? name.startsWith(row.slice(0, -1)) : row === name));
    expect(packagesWithScripts.filter((name) => !covered(name))).toEqual([]);
  });

  it('is in step with allowScripts, which names each of them', () => {
    expect(Object.keys(manifest.allowScripts).toSorted()).toEqual(
      [...new Set(packagesWithScripts)].toSorted(),
    );
    for (const [, name = '', verdict = ''] of rowsOf('Install scripts')) {
      const named = Object.entries(manifest.allowScripts).filter(([script]) =>
        name.endsWith('/*') ? script.startsWith(name.slice(0, -1)) : script === name,
      );
      expect(new Set(named.map(([, allowed]) => allowed))).toEqual(new Set([verdict === 'allowed']));
    }
  });
});

it('no package of the tree reports to its maker when it is installed, whatever npm makes of allowScripts', () => {
  const reporting = Object.entries(locked).filter(
    ([path, { hasInstallScript, name }]) =>
      path.endsWith('node_modules/@scarf/scarf') && (hasInstallScript === true || name === undefined),
  );
  expect(reporting).toEqual([]);
});
