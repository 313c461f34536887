import { createHash } from 'node:crypto';
import { sha256Hex } from '../kernel/canonical-json';

/** A file that comes before a card and belongs to it. */
export interface ActionFile {
  readonly fileName: string;
  readonly bytes: Buffer;
  /** Lower-case hex. */
  readonly sha256: string;
  /** True for the document with the whole action. */
  readonly isWhole?: boolean;
  /** True if a channel may show it as a picture. */
  readonly isPhoto?: boolean;
}

export function actionFile(fileName: string, bytes: Buffer): ActionFile {
  return { fileName, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Digest of files in their order, lower-case hex: of one file its own; of several, of their digests joined by newlines. */
export function digestOfFiles(files: readonly ActionFile[]): string | null {
  const [first, ...others] = files.map(({ sha256 }) => sha256);
  if (first === undefined) return null;
  return others.length === 0 ? first : sha256Hex([first, ...others].join('\n'));
}
