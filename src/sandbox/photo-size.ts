import { badRequest } from './bot-api-error';
import type { PhotoSize } from './telegram-types';

/** Sources: core.telegram.org/bots/api#sendphoto. */
export const LARGEST_PHOTO_BYTES = 10 * 1024 * 1024;
const LONGEST_SIDES = 10_000;
const LARGEST_RATIO = 20;

/**
 * The size of a PNG or JPEG picture.
 *
 * @throws {BotApiError} 400 IMAGE_PROCESS_FAILED if it is neither, PHOTO_INVALID_DIMENSIONS if it is too long or too narrow
 */
export function photoSize(bytes: Buffer): PhotoSize {
  const size = pngSize(bytes) ?? jpegSize(bytes);
  if (size === null) throw badRequest('IMAGE_PROCESS_FAILED');
  const { width, height } = size;
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (width + height > LONGEST_SIDES || !(ratio <= LARGEST_RATIO))
    throw badRequest('PHOTO_INVALID_DIMENSIONS');
  return size;
}

function pngSize(bytes: Buffer): PhotoSize | null {
  if (bytes.length < 24 || bytes.toString('latin1', 1, 8) !== 'PNG\r\n\x1a\n') return null;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function jpegSize(bytes: Buffer): PhotoSize | null {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return null;
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1] ?? 0;
    // The frames of every kind; three numbers among them mean tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
  }
  return null;
}
