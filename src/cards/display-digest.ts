import { createHash } from 'node:crypto';
import { sha256Hex } from '../kernel/canonical-json';
import { piecesOf } from '../kernel/cut-text';
import type { Steps } from '../kernel/steps';

/** About a millisecond of work. */
const UNITS_IN_A_STEP = 256 * 1024;

/**
 * Digest of the text that an operator saw: `sha256:` and the hex SHA-256 of the UTF-8 form of the card's text, as the
 * Bot API holds it after entity parsing, or of the `display` text of the console. If files or further messages carry a part of the action, the hashed text continues
 * with a newline and a hex SHA-256: of the only file; of the hex SHA-256 of several files, or of the texts of messages,
 * in order, joined by newlines.
 */
export function displayDigest(text: string, wholeSha256?: string | null): string {
  return `sha256:${sha256Hex(wholeSha256 ? `${text}\n${wholeSha256}` : text)}`;
}

/** The digest of a text alone, in steps. */
export function* makeDisplayDigest(text: string): Steps<string> {
  const hash = createHash('sha256');
  for (const piece of piecesOf(text, UNITS_IN_A_STEP)) {
    hash.update(piece, 'utf8');
    yield;
  }
  return `sha256:${hash.digest('hex')}`;
}
