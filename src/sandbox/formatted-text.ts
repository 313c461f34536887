import { badRequest } from './bot-api-error';
import { outermostFirst, parseHtml } from './html-parser';
import type { FormattedText, MessageEntity } from './telegram-types';

/** Entity types that a bot may send. The server finds the others itself and, like Telegram, drops those sent. */
const SENDABLE = new Set([
  'bold',
  'italic',
  'underline',
  'strikethrough',
  'spoiler',
  'code',
  'pre',
  'blockquote',
  'expandable_blockquote',
  'text_link',
  'text_mention',
  'custom_emoji',
  'date_time',
]);

/** An entity over nothing but spaces is dropped unless it carries something invisible. */
const HIDDEN_DATA = new Set(['text_link', 'text_mention', 'pre', 'code', 'custom_emoji', 'date_time']);

/** Telegram drops line and paragraph separators, bidirectional overrides and three overlay characters. */
const DROPPED = /\r|[\u2028-\u202e]|\u0333|\u033f|\u030a/;

const TRIMMED = /[ \n]/;

/** Invisible characters: a text of only these is empty. */
const INVISIBLE =
  /^(?:\s|\u00ad|\u034f|\u061c|\u115f|\u1160|\u17b4|\u17b5|\u180e|[\u200b-\u200f]|[\u2060-\u206f]|\u3164|\ufeff|\uffa0)*$/;

/**
 * The text as Telegram stores it: parsed by its mode, cleaned, trimmed, with the entities it finds by itself.
 *
 * The sandbox does not support MarkdownV2 and Markdown: it refuses them with "unsupported parse_mode", as the real
 * server does with an unknown mode.
 *
 * @param entities the explicit `entities` parameter; ignored when there is a parse mode, as by Telegram
 * @throws {BotApiError} 400 with Telegram's description
 */
export function formatText(
  input: string,
  parseMode: string | undefined,
  entities: readonly MessageEntity[] = [],
): FormattedText {
  const mode = parseMode?.toLowerCase() ?? '';
  if (mode !== '' && mode !== 'html' && mode !== 'none') throw badRequest('unsupported parse_mode');
  const parsed =
    mode === 'html'
      ? parseHtml(input)
      : { text: input, entities: entities.filter((e) => SENDABLE.has(e.type)).sort(outermostFirst) };
  checkBounds(parsed);
  const trimmed = trim(clean(parsed));
  return { text: trimmed.text, entities: withFoundEntities(trimmed) };
}

/** True if the text shows no visible character. */
export function isEmptyText(text: string): boolean {
  return INVISIBLE.test(text);
}

function checkBounds({ text, entities }: FormattedText): void {
  for (const { offset, length } of entities) {
    const end = offset + length;
    if (splitsSurrogates(text, offset)) {
      throw badRequest(
        `entity begins in a middle of a UTF-16 symbol at byte offset ${Buffer.byteLength(text.slice(0, offset - 1))}`,
      );
    }
    if (offset > text.length) {
      throw badRequest(`entity begins after the end of the text at UTF-16 offset ${offset}`);
    }
    if (end > text.length) {
      throw badRequest(
        `entity beginning at UTF-16 offset ${offset} ends after the end of the text at UTF-16 offset ${end}`,
      );
    }
    if (splitsSurrogates(text, end)) {
      throw badRequest(
        `entity beginning at UTF-16 offset ${offset} ends in a middle of a UTF-16 symbol at byte offset ${Buffer.byteLength(text.slice(0, end - 1))}`,
      );
    }
  }
}

function splitsSurrogates(text: string, offset: number): boolean {
  const unit = text.charCodeAt(offset);
  const before = text.charCodeAt(offset - 1);
  return offset > 0 && unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}

/** Control characters become spaces, dropped characters vanish, and entities move along. */
function clean({ text, entities }: FormattedText): FormattedText {
  // shifted[i] is the position in the new text of the unit at i in the old one.
  const shifted = new Array<number>(text.length + 1);
  let cleaned = '';
  for (let i = 0; i < text.length; i++) {
    shifted[i] = cleaned.length;
    const c = text.charAt(i);
    if (DROPPED.test(c)) continue;
    cleaned += c < ' ' && c !== '\n' ? ' ' : c;
  }
  shifted[text.length] = cleaned.length;
  const at = (offset: number): number => shifted[offset] ?? cleaned.length;
  return {
    text: cleaned,
    entities: entities.map((e) => ({
      ...e,
      offset: at(e.offset),
      length: at(e.offset + e.length) - at(e.offset),
    })),
  };
}

/** Removes leading white space unless an entity begins in it, and all trailing white space, also from entities. */
function trim({ text, entities }: FormattedText): FormattedText {
  const kept = entities.filter(
    (e) =>
      e.length > 0 && (HIDDEN_DATA.has(e.type) || /[^ \n]/.test(text.slice(e.offset, e.offset + e.length))),
  );
  let end = text.length;
  while (end > 0 && TRIMMED.test(text.charAt(end - 1))) end--;
  const firstEntity = Math.min(end, ...kept.map((e) => e.offset));
  let begin = 0;
  while (begin < firstEntity && TRIMMED.test(text.charAt(begin))) begin++;
  return {
    text: text.slice(begin, end),
    entities: kept
      .map((e) => ({ ...e, offset: e.offset - begin, length: Math.min(e.offset + e.length, end) - e.offset }))
      .filter((e) => e.length > 0),
  };
}

/** Entities that the server finds in plain text, in order of precedence. */
const FOUND: readonly (readonly [type: string, pattern: RegExp])[] = [
  ['url', /(?<![\w@/.])https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/gi],
  ['email', /(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?![\w@])/gi],
  ['mention', /(?<![\w@/.])@[a-z][a-z0-9_]{2,31}(?!\w)/gi],
  ['bot_command', /(?<![\w/<>@])\/[a-z0-9_]{1,64}(?:@[a-z][a-z0-9_]{2,31})?(?![\w/])/gi],
  ['hashtag', /(?<![\p{L}\p{N}_/#])#[\p{L}\p{N}_]*\p{L}[\p{L}\p{N}_]*/gu],
];

const UNSEARCHED = new Set(['code', 'pre', 'text_link', 'text_mention', 'date_time', 'custom_emoji']);

function withFoundEntities({ text, entities }: FormattedText): MessageEntity[] {
  const taken = entities.filter((e) => UNSEARCHED.has(e.type));
  const found: MessageEntity[] = [];
  for (const [type, pattern] of FOUND) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length };
      const overlaps = [...taken, ...found].some(
        (other) =>
          other.offset < entity.offset + entity.length && entity.offset < other.offset + other.length,
      );
      if (!overlaps) found.push(entity);
    }
  }
  return [...entities, ...found].sort(outermostFirst);
}
