import { closeSync, openSync, readSync } from 'node:fs';
import { MAX_DOCUMENT_CHARACTERS } from './source';

/** The most bytes that a document has; a device such as /dev/zero never ends. */
const MAX_BYTES = 3 * MAX_DOCUMENT_CHARACTERS;
const STDIN = 0;

/**
 * Reads a policy document as UTF-8; `-` is standard input.
 *
 * @throws Error for a file that cannot be read, is too large, or is not UTF-8: a replacement character could change a rule
 */
export function readDocumentFile(file: string): string {
  const bytes = readBytes(file);
  if (bytes.length > MAX_BYTES) throw new Error(`${file} has more than ${MAX_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const before = bytes.toString('utf8').split('\uFFFD', 1)[0] ?? '';
    throw new Error(`${file} is not UTF-8 in line ${before.split('\n').length}; save it as UTF-8`);
  }
}

function readBytes(file: string): Buffer {
  const descriptor = file === '-' ? STDIN : openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EISDIR') throw new Error(`${file} is a directory`, { cause: error });
    throw error;
  } finally {
    if (descriptor !== STDIN) closeSync(descriptor);
  }
}
