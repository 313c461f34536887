import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConnectJournal } from '../../../src/agent-side/connect/connect-journal';
import { KeptOriginals } from '../../../src/agent-side/connect/kept-originals';
import { CHECKOUT, cleanUp, temporaryDirectory } from '../../support/processes';

afterAll(cleanUp);

function place(): { home: string; path: string; originals: KeptOriginals } {
  const home = temporaryDirectory();
  return {
    home,
    path: join(home, 'settings.json'),
    originals: new KeptOriginals(join(home, 'state', 'connect')),
  };
}

type Texts = { before: string | null; after: string };

const put = (originals: KeptOriginals, agent: string, path: string, texts: Texts): void =>
  originals.replaceAll([agent], [{ agent, path, ...texts }]);

/** Replaces two files in a process that is killed once it has written the first of them. */
function beKilledBetween(directory: string, [one, two]: readonly [string, string]): void {
  const program = `
    const { KeptOriginals } = require(${JSON.stringify(join(CHECKOUT, 'dist/src/agent-side/connect/kept-originals.js'))});
    const fs = require('node:fs');
    const rename = fs.renameSync;
    fs.renameSync = (from, to) => {
      if (to === ${JSON.stringify(two)}) process.kill(process.pid, 'SIGKILL');
      rename(from, to);
    };
    new KeptOriginals(${JSON.stringify(directory)}).replaceAll(['one'], [
      { agent: 'one', path: ${JSON.stringify(one)}, before: ${JSON.stringify(BYTES)}, after: '{}' },
      { agent: 'one', path: ${JSON.stringify(two)}, before: null, after: '{}' },
    ]);`;
  expect(spawnSync(process.execPath, ['-e', program]).signal).toBe('SIGKILL');
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
    put(originals, 'one', path, { before: BYTES, after: '{}' });
    put(originals, 'one', path, { before: '{}', after: '{"b": 2}' });
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
    for (const path of [one, two, three]) put(originals, 'one', path ?? '', { before: null, after: '{}' });
    writeFileSync(join(home, 'kept', 'mine'), '');
    originals.undo([]);
    expect(readdirSync(home)).toEqual(['kept']);
    expect(readdirSync(join(home, 'kept'))).toEqual(['mine']);
  });

  it('stay where the file was changed since, and the reason says what to do', () => {
    const { path, originals } = place();
    writeFileSync(path, BYTES);
    put(originals, 'one', path, { before: BYTES, after: '{}' });
    writeFileSync(path, '{"mine": 1}');
    const [undone] = originals.undo([]);
    expect(undone?.refused).toMatch(/was changed since connect wrote it: .*\.original in its place/);
    const kept = /put (\S+) in/.exec(undone?.refused ?? '')?.[1] ?? '';
    expect([readFileSync(kept, 'utf8'), readFileSync(path, 'utf8')]).toEqual([BYTES, '{"mine": 1}']);
  });

  it('refuse to undo an edit of the user between two times of connect', () => {
    const { path, originals } = place();
    writeFileSync(path, BYTES);
    put(originals, 'one', path, { before: BYTES, after: '{}' });
    writeFileSync(path, '{"mine": 1}');
    put(originals, 'one', path, { before: '{"mine": 1}', after: '{"mine": 1, "ours": 2}' });
    expect(originals.undo([])[0]?.refused).toContain('was changed since');
    expect(readFileSync(path, 'utf8')).toBe('{"mine": 1, "ours": 2}');
  });

  it('restore the file behind a symbolic link, which stays one', () => {
    const { home, path, originals } = place();
    const target = join(home, 'dotfiles.json');
    writeFileSync(target, BYTES);
    symlinkSync(target, path);
    put(originals, 'one', path, { before: BYTES, after: '{}' });
    expect([lstatSync(path).isSymbolicLink(), readFileSync(target, 'utf8')]).toEqual([true, '{}']);
    originals.undo([]);
    expect([lstatSync(path).isSymbolicLink(), readFileSync(target, 'utf8')]).toEqual([true, BYTES]);
  });

  it('follow no link out of a project that came after the plan', () => {
    const { home, originals } = place();
    const [project, mine] = [temporaryDirectory(), join(home, 'mine')];
    mkdirSync(mine);
    symlinkSync(mine, join(project, '.agent'));
    const path = join(project, '.agent', 'settings.json');
    const change = { agent: 'one', path, before: null, after: '{}', inside: project };
    expect(() => originals.replaceAll(['one'], [change])).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({
          message: expect.stringContaining('outside of the project') as string,
        }) as Error,
      }) as Error,
    );
    expect(readdirSync(mine)).toEqual([]);
  });

  it('are those of the named agents only', () => {
    const { home, path, originals } = place();
    const other = join(home, 'other.json');
    put(originals, 'one', path, { before: null, after: '{}' });
    put(originals, 'two', other, { before: null, after: '{}' });
    expect(originals.undo(['two']).map(({ agent }) => agent)).toEqual(['two']);
    expect([existsSync(path), existsSync(other)]).toEqual([true, false]);
  });

  it('are all restored where one of several files cannot be written', () => {
    const { home, path, originals } = place();
    writeFileSync(path, BYTES);
    writeFileSync(join(home, 'no-folder'), '');
    const change = { agent: 'one', before: null, after: '{}' };
    const write = (): void =>
      originals.replaceAll(
        ['one'],
        [
          { ...change, path, before: BYTES },
          { ...change, path: join(home, 'new', 'other.json') },
          { ...change, path: join(home, 'no-folder', 'other.json') },
        ],
      );
    expect(write).toThrow('nothing was changed');
    expect(readFileSync(path, 'utf8')).toBe(BYTES);
    expect(readdirSync(home).toSorted()).toEqual(['no-folder', 'settings.json']);
  });

  it('say so where one cannot be restored, and the others are', () => {
    const { home, path, originals } = place();
    const folder = join(home, 'lost');
    writeFileSync(path, BYTES);
    const change = { agent: 'one', before: null, after: '{}' };
    const lost = { ...change, path: join(folder, 'settings.json') };
    let looks = 0;
    const failing = {
      ...change,
      /** The second look is that of the write: the file before it is written by then, and its folder goes. */
      get path(): string {
        looks += 1;
        if (looks === 2) {
          rmSync(folder, { recursive: true });
          writeFileSync(folder, '');
        }
        return join(folder, 'other.json');
      },
    };
    const write = (): void =>
      originals.replaceAll(['one'], [{ ...change, path, before: BYTES }, lost, failing]);
    expect(write).toThrow('nor every other restored');
    expect(readFileSync(path, 'utf8')).toBe(BYTES);
    expect(existsSync(join(home, 'state', 'connect', 'being-written'))).toBe(true);
  });

  it('tell of a time that was killed between two files, until it is finished or undone', () => {
    const { home, path, originals } = place();
    const directory = join(home, 'state', 'connect');
    const journal = new ConnectJournal(directory);
    const other = join(home, 'other.json');
    for (const mend of [
      () => put(originals, 'one', other, { before: null, after: '{}' }),
      () => originals.undo(['one']),
    ]) {
      writeFileSync(path, BYTES);
      beKilledBetween(directory, [path, other]);
      expect(journal.interrupted()).toEqual({ written: [path], notWritten: [other] });
      mend();
      expect(journal.interrupted()).toBeNull();
      expect(originals.undo([]).every(({ refused }) => refused === null)).toBe(true);
      expect(readFileSync(path, 'utf8')).toBe(BYTES);
      expect(readdirSync(home)).toEqual(['settings.json']);
    }
  });

  it.each([
    ['before its first file', BYTES, null],
    ['behind its last file', '{}', '{}'],
  ])('tell of no time that was killed %s, also where a file was edited since', (_, one, two) => {
    const { home, path } = place();
    const journal = new ConnectJournal(join(home, 'state', 'connect'));
    const other = join(home, 'other.json');
    journal.begin([
      { agent: 'one', path, before: BYTES, after: '{}' },
      { agent: 'one', path: other, before: null, after: '{}' },
    ]);
    writeFileSync(path, one);
    if (two !== null) writeFileSync(other, two);
    expect(journal.interrupted()).toBeNull();
    writeFileSync(path, 'mine');
    expect(journal.interrupted()).toBeNull();
  });

  it('are restored over every text that connect wrote', () => {
    const { path, originals } = place();
    writeFileSync(path, BYTES);
    put(originals, 'one', path, { before: BYTES, after: '{}' });
    put(originals, 'one', path, { before: '{}', after: '{"b": 2}' });
    // A kill before the last one was in place leaves the one before.
    writeFileSync(path, '{}');
    expect(originals.undo([])[0]?.refused).toBeNull();
    expect(readFileSync(path, 'utf8')).toBe(BYTES);
  });

  it('refuse to write over a change that came after the plan', () => {
    const { path, originals } = place();
    writeFileSync(path, 'newer');
    expect(() => put(originals, 'one', path, { before: 'older', after: '{}' })).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({
          message: expect.stringContaining('changed meanwhile') as string,
        }) as Error,
      }) as Error,
    );
    expect(readFileSync(path, 'utf8')).toBe('newer');
  });
});
