/** A message of 64 MiB is a fault of its sender; the service takes far less. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

const LINE_FEED = 0x0a;

/**
 * The lines of a stream as their bytes, each with its line end, so that they can be passed on unchanged.
 *
 * @throws Error for a line without an end
 */
export async function* byteLinesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const bytes of stream) {
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, from)) {
      yield Buffer.concat([...parts, bytes.subarray(from, at + 1)]);
      [parts, length, from] = [[], 0, at + 1];
    }
    const rest = bytes.subarray(from);
    if (rest.length > 0) parts.push(rest);
    length += rest.length;
    if (length > MAX_LINE_BYTES) throw new Error(`a message has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}
