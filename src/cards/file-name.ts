const MAX_LENGTH = 60;

/**
 * The name of a document from a path: its last part, of characters that no system and no reader takes for others. What it
 * ends with stays, since that is its type.
 */
export function fileNameOf(path: string): string {
  const end = path.slice(-MAX_LENGTH);
  const safe = end.slice(Math.max(end.lastIndexOf('/'), end.lastIndexOf('\\')) + 1).replace(/[^\w.-]+/g, '_');
  return /[a-z0-9]/i.test(safe) ? safe : 'file.txt';
}
