import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPageFiles } from '../../../../src/channels/console/console-pages';

it('a page that is not built has no files, and is no fault', async () => {
  expect(await readPageFiles(() => require.resolve('#console-page/never-built.html'))).toEqual(new Map());
});

it('a built page has its files by name, and nothing hidden', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-page-'));
  writeFileSync(join(folder, 'index.html'), '<p>page</p>');
  writeFileSync(join(folder, '.secret'), '');
  const files = await readPageFiles(() => join(folder, 'index.html'));
  expect([...files.keys()]).toEqual(['index.html']);
  expect(files.get('index.html')?.plain.toString()).toBe('<p>page</p>');
  rmSync(folder, { recursive: true });
});
