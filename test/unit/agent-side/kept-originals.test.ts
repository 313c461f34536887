import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { KeptOriginals } from '../../../src/agent-side/connect/kept-originals';
import { cleanUp, temporaryDirectory } from '../../support/processes';

afterAll(cleanUp);

function place(): { home: string; path: string; originals: KeptOriginals } {
  const home = temporaryDirectory();
  return {
    home,
    path: join(home, 'settings.json'),
    originals: new KeptOriginals(join(home, 'state', 'connect')),
  };
}

const PERMISSIONS = 0o777;
const BYTES = '// Mine.\r\n{ "a": 1,\t}\u2028  ';
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('the originals that connect keeps', () => {
  it('come back byte for byte, with their permissions, and nothing else stays', () => {
    const { home, path, originals } = place();
    writeFileSync(path, BYTES);
    chmodSync(path, 0o640);
    const before = digest(path);
    originals.replace('one', path, { before: BYTES, after: '{}' });
    originals.replace('one', path, { before: '{}', after: '{"b": 2}' });
    expect([readFileSync(path, 'utf8'), statSync(path).mode & PERMISSIONS]).toEqual(['{"b": 2}', 0o640]);
    expect(originals.undo([])).toEqual([{ agent: 'one', path, refused: null }]);
    expect([digest(path), statSync(path).mode & PERMISSIONS]).toEqual([before, 0o640]);
    expect(readdirSync(home)).toEqual(['settings.json']);
  });

  it('take files and folders away that were not there, and keep the folders of others', () => {
    const { home, originals } = place();
    const [one, two, three] = ['new/one.json', 'new/deep/two.json', 'kept/three.json'].map((name) =>
      join(home, name),
    );
    for (const path of [one, two, three]) originals.replace('one', path ?? '', { before: null, after: '{}' });
    writeFileSync(join(home, 'kept', 'mine'), '');
    originals.undo([]);
    expect(readdirSync(home)).toEqual(['kept']);
    expect(readdirSync(join(home, 'kept'))).toEqual(['mine']);
  });

  it('stay where the file was changed since, and the reason says what to do', () => {
    const { path, originals } = place();
    writeFileSync(path, BYTES);
    originals.replace('one', path, { before: BYTES, after: '{}' });
    writeFileSync(path, '{"mine": 1}');
    const [undone] = originals.undo([]);
    expect(undone?.refused).toMatch(/was changed since connect wrote it: .*\.original in its place/);
    const kept = /put (\S+) in/.exec(undone?.refused ?? '')?.[1] ?? '';
    expect([readFileSync(kept, 'utf8'), readFileSync(path, 'utf8')]).toEqual([BYTES, '{"mine": 1}']);
  });

  it('refuse to undo an edit of the user between two times of connect', () => {
    const { path, originals } = place();
    writeFileSync(path, BYTES);
    originals.replace('one', path, { before: BYTES, after: '{}' });
    writeFileSync(path, '{"mine": 1}');
    originals.replace('one', path, { before: '{"mine": 1}', after: '{"mine": 1, "ours": 2}' });
    expect(originals.undo([])[0]?.refused).toContain('was changed since');
    expect(readFileSync(path, 'utf8')).toBe('{"mine": 1, "ours": 2}');
  });

  it('restore the file behind a symbolic link, which stays one', () => {
    const { home, path, originals } = place();
    const target = join(home, 'dotfiles.json');
    writeFileSync(target, BYTES);
    symlinkSync(target, path);
    originals.replace('one', path, { before: BYTES, after: '{}' });
    expect([lstatSync(path).isSymbolicLink(), readFileSync(target, 'utf8')]).toEqual([true, '{}']);
    originals.undo([]);
    expect([lstatSync(path).isSymbolicLink(), readFileSync(target, 'utf8')]).toEqual([true, BYTES]);
  });

  it('are those of the named agents only', () => {
    const { home, path, originals } = place();
    const other = join(home, 'other.json');
    originals.replace('one', path, { before: null, after: '{}' });
    originals.replace('two', other, { before: null, after: '{}' });
    expect(originals.undo(['two']).map(({ agent }) => agent)).toEqual(['two']);
    expect([existsSync(path), existsSync(other)]).toEqual([true, false]);
  });

  it('refuse to write over a change that came after the plan', () => {
    const { path, originals } = place();
    writeFileSync(path, 'newer');
    expect(() => originals.replace('one', path, { before: 'older', after: '{}' })).toThrow(
      'changed meanwhile',
    );
    expect(readFileSync(path, 'utf8')).toBe('newer');
  });
});
