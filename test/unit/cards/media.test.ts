import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { actionLine } from '../../../src/cards/action-parts';
import { actionPieces } from '../../../src/cards/action-pieces';
import { digestOfFiles } from '../../../src/cards/action-file';
import { renderFileCaption } from '../../../src/cards/card-text';
import { displayDigest } from '../../../src/cards/display-digest';
import { pictureSize } from '../../../src/cards/picture';
import type { JsonObject } from '../../../src/kernel/json';
import { aJpeg, aPng, pngChunk } from '../../support/pictures';
import { anApproval, settled } from './approval-samples';
import { renderCard, renderOutcome } from './telegram-cards';

const requestOf = (toolInput: JsonObject, toolName = 'mcp__slack__post') =>
  anApproval({ toolName, toolInput });
const cardOf = (toolInput: JsonObject, toolName?: string) => renderCard(requestOf(toolInput, toolName));
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const PNG = aPng(640, 480);
const base64 = (bytes: Buffer) => bytes.toString('base64');
const image = (bytes: Buffer, mimeType = 'image/png') => ({ type: 'image', data: base64(bytes), mimeType });

describe('data in the input of a tool', () => {
  it('is a picture beside the card, with kind, size and digest on it', () => {
    const { text, files } = cardOf({ channel: '#ops', content: [{ type: 'text', text: 'Hi' }, image(PNG)] });
    expect(files).toMatchObject([
      { fileName: 'file-1-456789ab.png', bytes: PNG, sha256: sha256(PNG), isPhoto: true },
    ]);
    expect(text).toContain('\nFile 1: PNG picture, 640 × 480, ');
    expect(text).toContain('"data": ⟦file 1⟧,\n');
    expect(text).toContain(`🖼 In the picture file-1-456789ab.png, SHA-256 ${sha256(PNG)}`);
    expect(text).not.toContain(base64(PNG).slice(0, 40));
  });

  it.each<[string, JsonObject]>([
    ['a data URL', { url: `data:image/png;base64,${base64(PNG)}` }],
    ['a resource of MCP', { resource: { uri: 'a', mimeType: 'image/png', blob: base64(PNG) } }],
    [
      "a block of Anthropic's API",
      { source: { type: 'base64', media_type: 'image/png', data: base64(PNG) } },
    ],
    ['a text that begins like a picture', { deep: [[{ logo: base64(PNG) }]] }],
  ])('is found as %s', (_form, toolInput) => {
    const { files, text } = cardOf(toolInput);
    expect(files.map(({ bytes }) => bytes)).toEqual([PNG]);
    expect(text).toContain('file 1⟧');
  });

  it('is on the card of large data, too, without a document of text', () => {
    const large = aPng(500, 500, pngChunk('iCCP', Buffer.alloc(30_000, 7)));
    const { files, text } = cardOf({ image: base64(large) });
    expect(files).toHaveLength(1);
    expect(text).not.toContain('Excerpt');
  });

  it('is a document where it is no picture', () => {
    const zip = Buffer.concat([Buffer.from('504b0304', 'hex'), Buffer.alloc(400, 1)]);
    const { files, text } = cardOf({ upload: base64(zip) });
    expect(files).toMatchObject([{ fileName: 'file-1-456789ab.zip', isPhoto: false }]);
    expect(text).toContain('File 1: ZIP archive, 404 bytes');
    expect(text).toContain('📄 In the document file-1-456789ab.zip');
  });

  it('raises a warning where it is not what it is called', () => {
    const program = Buffer.concat([Buffer.from('7f454c46', 'hex'), Buffer.alloc(400, 1)]);
    const { text, files } = cardOf({ content: [image(program)] });
    expect(text).toContain(
      '🚨 File 1 is not what it is called: image/png, but the data is: program for Linux, 404 bytes',
    );
    expect(files[0]?.fileName).toBe('file-1-456789ab.bin');
    expect(cardOf({ content: [image(PNG)] }).text).not.toContain('🚨');
  });

  it.each<[string, JsonObject, string]>([
    ['ordinary words', { note: 'a'.repeat(300), data: 'hello', mimeType: 'text/plain' }, 'mcp__x__y'],
    [
      'other spellings of the same data',
      { a: `${base64(PNG)}\n`, b: base64(PNG).replace(/.$/, '*') },
      'mcp__x__y',
    ],
    ['the content of a file to write', { file_path: '/a.txt', content: base64(PNG) }, 'Write'],
    ['a command', { command: base64(PNG) }, 'Bash'],
  ])('is not seen in %s', (_what, toolInput, toolName) => {
    expect(cardOf(toolInput, toolName).files.filter(({ isWhole }) => !isWhole)).toEqual([]);
  });

  it('has a marker that no text can imitate', () => {
    const { text } = cardOf({ fake: '⟦file 1⟧', real: base64(PNG) });
    expect(text).toContain('{"fake":"⟦file 1⟧","real":⟦file 1⟧}');
  });

  it('is bound by the display digest, folded or not', () => {
    const shown = (toolInput: JsonObject) => {
      const { text, files } = cardOf(toolInput);
      return displayDigest(text, digestOfFiles(files));
    };
    const other = aPng(640, 480, pngChunk('tIME', Buffer.alloc(7)));
    fc.assert(
      fc.property(fc.constantFrom(PNG, other), fc.constantFrom(PNG, other), (one, two) => {
        const same = shown({ a: base64(one), b: base64(PNG) }) === shown({ a: base64(two), b: base64(PNG) });
        expect(same).toBe(one === two);
      }),
      { numRuns: 20 },
    );
    expect(shown({ a: base64(PNG) })).not.toBe(shown({ a: `data:image/png;base64,${base64(PNG)}` }));
    expect(shown({ a: base64(PNG), b: base64(other) })).not.toBe(shown({ a: base64(other), b: base64(PNG) }));
  });

  it('stays text beyond the eighth file, and the document has all of it', () => {
    const pictures = Array.from({ length: 9 }, (_, i) =>
      base64(aPng(100, 100, pngChunk('iCCP', Buffer.alloc(4_000, i)))),
    );
    const { files } = cardOf({ pictures });
    expect(files.map(({ isWhole = false }) => isWhole)).toEqual([...Array<boolean>(8).fill(false), true]);
    expect(files.at(-1)?.bytes.toString()).toContain(pictures[8]);
  });

  it('cannot be approved in a chat without files', () => {
    expect(actionPieces(requestOf({ a: base64(PNG) }), 4_096)).toBeNull();
  });

  it('stands on the card of a settled request, too', () => {
    const { text } = renderOutcome(settled(requestOf({ a: base64(PNG) }), 'approved'));
    expect(text).toContain('File 1: PNG picture');
    expect(text).toContain(sha256(PNG));
  });

  it('is named, not quoted, in a list', () => {
    expect(actionLine('mcp__x__y', { logo: base64(PNG) }, 100)).toBe('{"logo":"⟦PNG picture⟧"}');
  });

  it('has a caption with its request and digest', () => {
    const [file] = cardOf({ a: base64(PNG) }).files;
    expect(file && renderFileCaption(requestOf({}), file).text).toBe(
      `🖼 Belongs to request 456789ab. SHA-256 ${sha256(PNG)}`,
    );
  });
});

describe('a picture', () => {
  it.each([
    ['a PNG', aPng(30, 20)],
    ['a PNG with a short comment', aPng(30, 20, pngChunk('tEXt', 'Software\0plot'))],
    ['a JPEG', aJpeg(30, 20, 'made by a camera')],
  ])('is %s', (_what, bytes) => {
    expect(pictureSize(bytes)).toEqual({ width: 30, height: 20 });
  });

  it.each([
    ['with bytes after its end', Buffer.concat([aPng(30, 20), Buffer.from('PK')])],
    ['a JPEG with another one after its end', Buffer.concat([aJpeg(30, 20), aJpeg(30, 20)])],
    ['an animation', aPng(30, 20, pngChunk('acTL', Buffer.alloc(8)))],
    ['with a page in its comment', aPng(30, 20, pngChunk('tEXt', 'a\0<script>x</script>'))],
    ['a JPEG with a program in its comment', aJpeg(30, 20, '<?php x ?>')],
    ['with an archive in its comment', aPng(30, 20, pngChunk('iTXt', 'PK\x03\x04'))],
    ['with an unknown part', aPng(30, 20, pngChunk('prIv', 'x'))],
    ['cut off', aPng(30, 20).subarray(0, -3)],
    ['too narrow', aPng(1, 21)],
    ['too long', aPng(9_000, 1_001)],
    ['without a side', aPng(0, 20)],
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('GIF89a')],
  ])('is nothing %s', (_what, bytes) => {
    expect(pictureSize(bytes)).toBeNull();
  });

  it('is read from any bytes without an error', () => {
    for (const whole of [aPng(30, 20), aJpeg(30, 20, 'x')])
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
          const changed = Buffer.from(whole);
          changed[at] = byte;
          pictureSize(changed);
        }),
      );
  });
});
