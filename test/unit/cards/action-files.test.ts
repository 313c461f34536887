import { createHash } from 'node:crypto';
import { digestOfFiles } from '../../../src/cards/action-file';
import { fileNameOf } from '../../../src/cards/file-name';
import type { JsonObject } from '../../../src/kernel/json';
import { anApproval } from './approval-samples';
import { renderCard } from './telegram-cards';

const cardOf = (toolName: string, toolInput: JsonObject) => renderCard(anApproval({ toolName, toolInput }));
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const LINES = Array.from({ length: 300 }, (_, i) => `export const value${i} = ${i};\n`).join('');

describe('a file that no message holds', () => {
  it('comes under its own name, then the document with the exact input', () => {
    const { files, text } = cardOf('Write', { file_path: '/srv/app/src/pay.ts', content: LINES });
    expect(files.map(({ fileName }) => fileName)).toEqual(['pay.ts', 'action-456789ab.txt']);
    expect(files[0]?.bytes.toString('utf8')).toBe(LINES);
    for (const { fileName, bytes, sha256: digest } of files) {
      expect(digest).toBe(sha256(bytes));
      expect(text).toContain(`document ${fileName}, SHA-256 ${digest}`);
    }
    const document = files[1]?.bytes.toString('utf8') ?? '';
    expect(document).toContain(
      `\nContent (300 lines): in the document pay.ts, SHA-256 ${files[0]?.sha256}\n`,
    );
    expect(document).toContain(JSON.stringify(LINES));
  });

  it('keeps its language on the card', () => {
    const { spans } = cardOf('Write', { file_path: '/srv/app/src/pay.ts', content: LINES });
    expect(spans.filter((span) => span.kind === 'pre')).toEqual([
      expect.objectContaining({ language: 'typescript' }),
    ]);
  });

  it('is in the document line by line, too, if it has characters that nobody sees', () => {
    const { document } = cardOf('Write', { file_path: '/a.ts', content: `${LINES}// \u202e` });
    expect(document?.bytes.toString('utf8')).toContain('\n  │ // \\u{202e}\n');
  });

  it.each([
    ['/srv/app/.env', '.env'],
    ['C:\\temp\\a.ts', 'a.ts'],
    ['/srv/in\u202evoice txt.exe', 'in_voice_txt.exe'],
    ['/srv/app/', 'file.txt'],
    [`/${'x'.repeat(300)}.py`, `${'x'.repeat(57)}.py`],
  ])('named %j has a name of plain characters', (path, name) => {
    expect(fileNameOf(path)).toBe(name);
  });
});

describe('the digest of files', () => {
  const file = (content: string) => ({ fileName: 'a', bytes: Buffer.from(content), sha256: sha256(content) });

  it('is that of the only one, and of several the digest of their digests in order', () => {
    expect(digestOfFiles([])).toBeNull();
    expect(digestOfFiles([file('a')])).toBe(sha256('a'));
    expect(digestOfFiles([file('a'), file('b')])).toBe(sha256(`${sha256('a')}\n${sha256('b')}`));
  });
});

describe('a long change', () => {
  const before = Array.from({ length: 600 }, (_, i) => `line ${i}`).join('\n');
  const { text, files } = cardOf('Edit', {
    file_path: '/a.ts',
    old_string: before,
    new_string: before.replace('line 300\n', 'line 3OO\n'),
  });

  it('is on the card with every changed line, marked as an excerpt', () => {
    expect(text).toContain('Excerpt only: every change, but not every one of the 601 lines');
    expect(text).toContain('\n-line 300\n+line 3OO\n');
    expect(text).not.toContain('characters left out');
  });

  it('has both texts in the document', () => {
    const document = files[0]?.bytes.toString('utf8') ?? '';
    expect(document).toContain('  │ line 300\n');
    expect(document).toContain('  │ line 3OO\n');
  });
});
