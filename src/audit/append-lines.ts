import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Opens a file of lines, which only its owner reads; makes it and its directory if they are not there. */
export async function openForLines(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  return open(path, 'a+', 0o600);
}

/** Appends lines, and resolves once they are on the disk. @throws Error if that failed; then some may be there. */
export async function appendLines(path: string, lines: string): Promise<void> {
  const file = await openForLines(path);
  try {
    const facts = await file.stat();
    // A pipe that nobody reads would hold a thread for ever.
    if (facts.isFIFO()) throw new Error('it is a named pipe, not a file');
    await file.appendFile((await endsInLine(file, facts.size)) ? `\n${lines}` : lines);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** True if a crash cut the last line short: what is appended to it could not be read either. */
async function endsInLine(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() !== '\n';
}
