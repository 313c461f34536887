/** An HTTP answer is longer than any that its reader expects. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong';

  constructor(most: number) {
    super(`the answer has more than ${most} bytes`);
  }
}

/**
 * Reads the body of an HTTP answer as text; `onChunk` gets each part as it comes.
 *
 * @throws AnswerTooLong beyond `most` bytes, without reading on.
 */
export async function boundedText(
  { body }: Response,
  most: number,
  onChunk: (chunk: Uint8Array) => void = () => undefined,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > most) throw new AnswerTooLong(most);
    chunks.push(chunk);
    onChunk(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
