import { sha256Hex } from '../kernel/canonical-json';

/**
 * What an operator was shown: `sha256:` and the hex SHA-256 of the UTF-8 form of the card's text as the Bot API holds
 * it after entity parsing, plus, where a document or further messages carry the action, a newline and, in hex, the
 * SHA-256 of the document or of the texts of these messages, in their order and joined by newlines.
 */
export function displayDigest(text: string, wholeSha256?: string | null): string {
  return `sha256:${sha256Hex(wholeSha256 ? `${text}\n${wholeSha256}` : text)}`;
}
