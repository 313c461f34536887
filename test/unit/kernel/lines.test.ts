import { Readable } from 'node:stream';
import { linesOf } from '../../../src/kernel/lines';

async function linesIn(text: string, chunkSize = text.length): Promise<string[]> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkSize) }, (_, n) =>
    bytes.subarray(n * chunkSize, (n + 1) * chunkSize),
  );
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from(chunks))) lines.push(line);
  return lines;
}

it.each(['\u2028', '\u2029', '\u0085', '\r', '\v', '\f'])('does not end a line at %j', async (separator) => {
  const line = JSON.stringify({ text: 'said' }).replace(
    'said',
    `a${separator}{"type":"result"}${separator}b`,
  );
  expect(await linesIn(`${line}\n${line}\n`)).toEqual([line, line]);
});

it.each([1, 2, 3, 7])('joins lines and characters from chunks of %d bytes', async (size) => {
  expect(await linesIn('é\u2028😀\r\n\nlast', size)).toEqual(['é\u2028😀', '', 'last']);
});

it('yields nothing of an empty stream, and no empty line after the last line feed', async () => {
  expect(await linesIn('', 1)).toEqual([]);
  expect(await linesIn('one\n')).toEqual(['one']);
});
