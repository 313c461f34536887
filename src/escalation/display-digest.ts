import { sha256Hex } from '../kernel/canonical-json';

/**
 * What an operator was shown: `sha256:` and the hex SHA-256 of the UTF-8 form of the card's text as the Bot API holds
 * it after entity parsing, plus, where a document carries the action, a newline and the document's SHA-256 in hex.
 */
export function displayDigest(text: string, documentSha256?: string | null): string {
  return `sha256:${sha256Hex(documentSha256 ? `${text}\n${documentSha256}` : text)}`;
}
