/** Size of a picture in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Sources: core.telegram.org/bots/api#sendphoto. */
const MAX_PHOTO_BYTES = 10 * 1024 * 1024;
const MAX_SIDES = 10_000;
const MAX_RATIO = 20;

/** Bytes of free form, such as comments and camera data; a picture with more comes as a document. */
const MAX_FREE_BYTES = 32 * 1024;
/** Beginnings of other formats, which a picture can carry in its comments to be two things at once. */
const OTHER_FORMATS = /<[a-z!?/]|%PDF|PK[^ -~]{2}|#!/i;

/**
 * The size of a still picture that is nothing else: PNG or JPEG from the first byte to the last, without an animation,
 * bytes after its end, or the beginning of another format in its comments. Null for everything else: it must not be shown
 * as a picture, because its receiver may read it as something else.
 *
 * It reads the structure only, in linear time, and decodes no pixel.
 */
export function pictureSize(bytes: Buffer): PictureSize | null {
  if (bytes.length > MAX_PHOTO_BYTES) return null;
  const size = readPng(bytes) ?? readJpeg(bytes);
  if (size === null) return null;
  const [shorter, longer] = [Math.min(size.width, size.height), Math.max(size.width, size.height)];
  return shorter > 0 && shorter + longer <= MAX_SIDES && longer <= shorter * MAX_RATIO ? size : null;
}

const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
/** Without the chunks of animations: a photo would show the first frame only. */
const PNG_CHUNKS = new Set(
  'IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB pHYs sBIT bKGD tIME iCCP cICP'.split(' '),
);
const PNG_FREE_CHUNKS = new Set('tEXt iTXt eXIf iCCP'.split(' '));
const PNG_FRAME = 12;
const PNG_HEADER_LENGTH = 13;

function readPng(bytes: Buffer): PictureSize | null {
  if (!bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) return null;
  const free = new FreeBytes();
  let size: PictureSize | null = null;
  let hasPixels = false;
  for (let at = PNG_SIGNATURE.length; at + PNG_FRAME <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    at += PNG_FRAME + length;
    if (at > bytes.length || !(PNG_CHUNKS.has(type) || PNG_FREE_CHUNKS.has(type))) return null;
    if ((type === 'IHDR') !== (size === null)) return null;
    if (type === 'IHDR') {
      if (length !== PNG_HEADER_LENGTH) return null;
      size = { width: data.readUInt32BE(0), height: data.readUInt32BE(4) };
    }
    if (PNG_FREE_CHUNKS.has(type) && !free.take(data)) return null;
    if (type === 'IDAT') hasPixels = true;
    if (type === 'IEND') return at === bytes.length && hasPixels ? size : null;
  }
  return null;
}

/** Second bytes of JPEG's markers. */
const START = 0xd8;
const END = 0xd9;
const SCAN = 0xda;
const COMMENT = 0xfe;
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xc2;
const isTable = (marker: number): boolean => marker === 0xc4 || marker === 0xdb || marker === 0xdd;
const isFree = (marker: number): boolean => marker === COMMENT || (marker >= 0xe0 && marker <= 0xef);
/** Bytes after 0xff that belong to the pixels: an escaped 0xff, and restart marks. */
const isPixel = (byte: number): boolean => byte === 0 || (byte >= 0xd0 && byte <= 0xd7);

function readJpeg(bytes: Buffer): PictureSize | null {
  if (bytes[0] !== 0xff || bytes[1] !== START) return null;
  const free = new FreeBytes();
  let size: PictureSize | null = null;
  let hasPixels = false;
  for (let at = 2; at + 2 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1] as number;
    at += 2;
    if (marker === END) return at === bytes.length && hasPixels ? size : null;
    if (at + 2 > bytes.length) return null;
    const data = bytes.subarray(at + 2, at + bytes.readUInt16BE(at));
    at += bytes.readUInt16BE(at);
    if (isFrame(marker)) {
      if (size !== null || data.length < 5) return null;
      size = { height: data.readUInt16BE(1), width: data.readUInt16BE(3) };
    } else if (marker === SCAN) {
      hasPixels = true;
      at = endOfScan(bytes, at);
    } else if (isFree(marker) ? !free.take(data) : !isTable(marker)) return null;
  }
  return null;
}

/** Position of the first marker after the pixels of a scan. */
function endOfScan(bytes: Buffer, start: number): number {
  let at = bytes.indexOf(0xff, start);
  while (at !== -1 && isPixel(bytes[at + 1] ?? -1)) at = bytes.indexOf(0xff, at + 2);
  return at === -1 ? bytes.length : at;
}

/** Counts the bytes of free form and looks for other formats in them. */
class FreeBytes {
  private left = MAX_FREE_BYTES;

  /** @returns false if there are too many, or some could be read as another format. */
  take(bytes: Buffer): boolean {
    this.left -= bytes.length;
    return this.left >= 0 && !OTHER_FORMATS.test(bytes.toString('latin1'));
  }
}
