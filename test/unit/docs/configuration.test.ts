import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../../src/config/environment';
import { environmentSchema } from '../../../src/config/settings';
import { exampleOfSettings, tablesOfSettings } from '../../support/settings-documents';

const read = (path: string): string => readFileSync(join(__dirname, '..', '..', '..', path), 'utf8');

const write = (path: string, text: string) => writeFileSync(join(__dirname, '..', '..', '..', path), text);
const proseOf = (document: string): string => document.slice(0, document.indexOf('\n## ') + 1);

/** `UPDATE_CONFIGURATION=1 npm test -- test/unit/docs/configuration.test.ts` writes both documents. */
if (process.env.UPDATE_CONFIGURATION === '1') {
  write('docs/configuration.md', proseOf(read('docs/configuration.md')) + tablesOfSettings());
  write('.env.example', exampleOfSettings());
}

it('docs/configuration.md and .env.example are what the settings say', () => {
  const document = read('docs/configuration.md');
  expect(document.slice(proseOf(document).length)).toBe(tablesOfSettings());
  expect(read('.env.example')).toBe(exampleOfSettings());
});

/** Every variable with its default as it is written in the environment; null: there is none, as for the operators. */
const defaults = environmentSchema.omit({ TELEGRAM_OPERATORS: true }).parse({}) as Record<
  string,
  string | number | boolean | number[] | undefined
>;
const schema = new Map(
  Object.keys(environmentSchema.shape).map((name) => [name, defaults[name]?.toString() ?? null] as const),
);

describe('docs/configuration.md', () => {
  const rows = [
    ...read('docs/configuration.md').matchAll(/^\| `([A-Z][A-Z0-9_]*)` *\| (.+?) *\| (.+?) *\|$/gm),
  ];
  const documented = new Map(rows.map(([, name = '', fallback = '']) => [name, fallback]));

  it('has one row for every variable, in the order of the schema', () => {
    expect(rows.map(([, name]) => name)).toEqual([...schema.keys()]);
  });

  it.each([...schema])('tells the default of %s', (name, fallback) => {
    expect(documented.get(name)).toMatch(fallback === null ? /^unset(: .+)?$/ : /^`[^`]+`$/);
    if (fallback !== null) expect(documented.get(name)).toBe(`\`${fallback}\``);
  });
});

describe('.env.example', () => {
  const lines = read('.env.example').split('\n');
  const entries = lines.flatMap((line) => {
    const [, name, value = ''] = /^# ?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value] as const];
  });

  it('has every variable once, with its default, or empty where there is none', () => {
    expect(entries).toHaveLength(schema.size);
    expect(Object.fromEntries(entries)).toEqual(
      Object.fromEntries([...schema].map(([name, fallback]) => [name, fallback ?? ''])),
    );
  });

  it('changes nothing when it is copied as it is', () => {
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });

  it('is a valid environment with every line taken out of its comment', () => {
    expect(parseConfig(Object.fromEntries(entries))).toEqual(parseConfig({}));
  });
});
