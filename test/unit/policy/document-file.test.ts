import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDocumentFile } from '../../../src/policy/document/document-file';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'countersign-document-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(bytes: Buffer): string {
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, bytes);
  return file;
}

it('reads UTF-8, with and without a byte order mark', () => {
  expect(readDocumentFile(fileOf(Buffer.from('say: für\n')))).toBe('say: für\n');
  expect(readDocumentFile(fileOf(Buffer.from('\uFEFFversion: 1\n')))).toBe('version: 1\n');
});

it.each([
  ['Latin-1', Buffer.from('version: 1\nmatch: { path: /srv/für/** }\n', 'latin1'), 2],
  ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('version: 1\n', 'utf16le')]), 1],
  ['half a character', Buffer.from('version: 1\n# \u{1F512}').subarray(0, -2), 2],
])('refuses %s, whose characters would become others, and names the line', (_what, bytes, line) => {
  expect(() => readDocumentFile(fileOf(bytes))).toThrow(`is not UTF-8 in line ${line}; save it as UTF-8`);
});

it('refuses a directory, a file that is missing, and one that never ends', () => {
  expect(() => readDocumentFile(folder)).toThrow(`${folder} is a directory`);
  expect(() => readDocumentFile(join(folder, 'none'))).toThrow('ENOENT');
  expect(() => readDocumentFile('/dev/zero')).toThrow('/dev/zero has more than 3145728 bytes');
});
