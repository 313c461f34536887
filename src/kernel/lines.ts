import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a UTF-8 stream, without their line ends. Only a line feed ends a line, with or without a carriage return
 * before it. Since version 24, `readline` of Node.js also ends lines at U+2028 and U+2029, which JSON may hold as they
 * are: a text inside a message could then pass for a message of its own.
 */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const bytes of stream) {
    const [first = '', ...others] = decoder.write(bytes).split('\n');
    rest += first;
    for (const next of others) {
      yield rest.replace(/\r$/, '');
      rest = next;
    }
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
}
