import { randomUUID } from 'node:crypto';
import type { JsonObject, JsonValue } from '../kernel/json';
import { actionFile, type ActionFile } from './action-file';
import { pictureSize } from './picture';

/** Kinds of data by their first bytes, with the media types that they may be called by. */
const KINDS = [
  kind('PNG picture', 'png', 'image/png', '89504e470d0a1a0a'),
  kind('JPEG picture', 'jpg', 'image/jpeg image/jpg', 'ffd8ff'),
  kind('GIF picture', 'gif', 'image/gif', '474946383761|474946383961'),
  kind('WebP picture', 'webp', 'image/webp', '52494646........57454250'),
  kind('TIFF picture', 'tiff', 'image/tiff', '49492a00|4d4d002a'),
  kind('PDF document', 'pdf', 'application/pdf', '255044462d'),
  kind('ZIP archive', 'zip', 'application/zip application/x-zip-compressed', '504b0304'),
  kind('gzip data', 'gz', 'application/gzip application/x-gzip', '1f8b08'),
  kind('zstd data', 'zst', 'application/zstd', '28b52ffd'),
  kind('7-Zip archive', '7z', 'application/x-7z-compressed', '377abcaf271c'),
  kind('SQLite database', 'sqlite', 'application/vnd.sqlite3', '53514c69746520666f726d6174203300'),
  kind('MP4 video', 'mp4', 'video/mp4 video/quicktime audio/mp4', '........66747970'),
  kind('Matroska video', 'mkv', 'video/webm video/x-matroska audio/webm', '1a45dfa3'),
  kind('WAV sound', 'wav', 'audio/wav audio/x-wav audio/wave', '52494646........57415645'),
  kind('Ogg sound', 'ogg', 'audio/ogg video/ogg application/ogg', '4f676753'),
  kind('MP3 sound', 'mp3', 'audio/mpeg audio/mp3', '494433|fffb|fff3'),
  // Not under an ending that starts them.
  kind('program for Linux', 'bin', 'application/x-elf', '7f454c46'),
  kind('program for Windows', 'bin', 'application/x-msdownload', '4d5a9000'),
  kind('WebAssembly', 'bin', 'application/wasm', '0061736d01000000'),
] as const;

interface Kind {
  readonly words: string;
  readonly ending: string;
  readonly types: readonly string[];
  readonly begins: RegExp;
}

function kind(words: string, ending: string, types: string, begins: string): Kind {
  return { words, ending, types: types.split(' '), begins: new RegExp(`^(?:${begins})`) };
}

const LONGEST_BEGINNING = 16;

/** More files of one action would fill the chat; the others are shown as the text that they are. */
const MAX_FILES = 8;
/** Shorter data with a type beside it is short enough to read. */
const MIN_LENGTH = 32;
/** The same, without a type beside it: short texts may begin like one of the kinds by chance. */
const MIN_LENGTH_UNNAMED = 256;

const DATA_URL = /^data:([a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60});base64,/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Data in the input of a tool, as a file. */
export interface Medium extends ActionFile {
  /** Its kind and size, in words of the card. */
  readonly words: string;
  /** The media type by which the caller calls it, if it is certainly not of this type. */
  readonly misnamed: string | null;
}

/** Distinguishes placeholders from every text of a caller. */
const SECRET = randomUUID();

/** Finds data in the input of a tool, and writes the input with words in its place. */
export class Media {
  readonly found: Medium[] = [];
  private readonly placeholders = new Map<string, string>();
  private readonly markers = new Map<string, string>();

  /** @param id the short id of the request, for the names of the files */
  constructor(private readonly id: string) {}

  /** Looks for data in the values of these members, at any depth. */
  look(members: Iterable<JsonValue>): void {
    const waiting: { value: JsonValue; type: string | null }[] = [];
    for (const value of members) waiting.push({ value, type: null });
    // The list grows while it is read.
    for (const { value, type } of waiting) {
      if (typeof value === 'string') this.take(value, type);
      if (typeof value !== 'object' || value === null) continue;
      const claimed = Array.isArray(value) ? null : claimedType(value as JsonObject);
      for (const [name, member] of Object.entries<JsonValue>(value))
        if (typeof member === 'object' || (typeof member === 'string' && member.length >= MIN_LENGTH))
          waiting.push({ value: member, type: name === 'data' || name === 'blob' ? claimed : null });
    }
  }

  /** JSON in which `⟦file 1⟧` stands for data. No text of a caller can imitate that, since it is not in quotes. */
  stringify(value: JsonValue, indent?: number): string {
    if (this.found.length === 0) return JSON.stringify(value, null, indent);
    const written = JSON.stringify(
      value,
      (_name, member: JsonValue) =>
        typeof member === 'string' ? (this.placeholders.get(member) ?? member) : member,
      indent,
    );
    return [...this.markers].reduce(
      (text, [placeholder, marker]) => text.replaceAll(JSON.stringify(placeholder), marker),
      written,
    );
  }

  private take(text: string, type: string | null): void {
    if (this.placeholders.has(text) || this.found.length >= MAX_FILES) return;
    const url = DATA_URL.exec(text);
    const base64 = url ? text.slice(url[0].length) : text;
    const claimed = url?.[1] ?? type;
    if (base64.length < (claimed === null ? MIN_LENGTH_UNNAMED : MIN_LENGTH)) return;
    const known = kindOf(Buffer.from(base64.slice(0, 2 * LONGEST_BEGINNING), 'base64'));
    if ((known === null && claimed === null) || !BASE64.test(base64)) return;
    const bytes = Buffer.from(base64, 'base64');
    // Only the usual spelling: then the file and the marker say exactly what the text was.
    if (bytes.toString('base64') !== base64) return;
    const number = this.found.length + 1;
    const size = pictureSize(bytes);
    const file = actionFile(`file-${number}-${this.id}.${known?.ending ?? 'bin'}`, bytes);
    const pixels = size === null ? '' : `, ${size.width} × ${size.height}`;
    this.found.push({
      ...file,
      isPhoto: size !== null,
      words: `${known?.words ?? 'data of no known kind'}${pixels}, ${sizeInWords(bytes.length)}`,
      misnamed: claimed !== null && isMisnamed(claimed.toLowerCase(), known) ? claimed : null,
    });
    const placeholder = `${SECRET} ${number}`;
    this.placeholders.set(text, placeholder);
    this.markers.set(placeholder, url ? `⟦${url[0]} file ${number}⟧` : `⟦file ${number}⟧`);
  }
}

/** The kind of data that a text seems to be, by its beginning alone: for lists. */
export function seemingKind(text: string): string | null {
  const base64 = text.slice(DATA_URL.exec(text.slice(0, 200))?.[0].length ?? 0);
  if (base64.length < MIN_LENGTH_UNNAMED) return null;
  return kindOf(Buffer.from(base64.slice(0, 2 * LONGEST_BEGINNING), 'base64'))?.words ?? null;
}

/** The type beside the data: in a content block of MCP or of Anthropic's API, or in a resource. */
function claimedType(object: JsonObject): string | null {
  const type = [object.mimeType, object.media_type, object.mime_type].find(
    (each) => typeof each === 'string',
  );
  return typeof type === 'string' ? type : null;
}

function kindOf(bytes: Buffer): Kind | null {
  const beginning = bytes.toString('hex', 0, LONGEST_BEGINNING);
  return KINDS.find(({ begins }) => begins.test(beginning)) ?? null;
}

function isMisnamed(claimed: string, known: Kind | null): boolean {
  if (known !== null) return !known.types.includes(claimed);
  return KINDS.some(({ types }) => types.includes(claimed));
}

function sizeInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
