import { badRequest } from './bot-api-error';
import type { MessageEntity } from './telegram-types';

/** Tags that set only the style: the entity type is all there is to store. */
const STYLES: Readonly<Record<string, string>> = {
  b: 'bold',
  strong: 'bold',
  i: 'italic',
  em: 'italic',
  u: 'underline',
  ins: 'underline',
  s: 'strikethrough',
  strike: 'strikethrough',
  del: 'strikethrough',
  'tg-spoiler': 'spoiler',
  span: 'spoiler',
};

const STRUCTURES = new Set(['a', 'code', 'pre', 'blockquote', 'tg-emoji', 'tg-time']);

const DATE_FORMAT = /^(r|w?[dD]?[tT]?)$/;

/** A tag that is not closed yet. */
export interface OpenTag {
  readonly name: string;
  /** The one attribute that matters for this tag, or empty. */
  readonly argument: string;
  readonly unixTime: number;
  /** Start of its text, in UTF-16 units. */
  readonly offset: number;
}

/** An entity that may still merge with the next one. */
export interface DraftEntity extends MessageEntity {
  /** The language of a `<code class="language-…">`, which matters only together with `<pre>`. */
  readonly codeLanguage?: string;
}

type Kind = Omit<DraftEntity, 'offset' | 'length'>;

export const parseError = (what: string): Error => badRequest(`can't parse entities: ${what}`);

export function isKnownTag(name: string): boolean {
  return Object.hasOwn(STYLES, name) || STRUCTURES.has(name);
}

/**
 * Adds the entity of a closed tag, if it has one, to the entities found so far.
 *
 * @param text everything parsed so far; the tag covers it from its offset to the end
 * @throws {BotApiError} 400 "can't parse entities: …"
 */
export function addEntity(entities: DraftEntity[], tag: OpenTag, text: string): void {
  const place = { offset: tag.offset, length: text.length - tag.offset };
  const kind = kindOf(tag, text.slice(tag.offset));
  if (!kind) return;
  const inner = entities.at(-1);
  const language = inner && sameSpan(inner, place) ? languageOfPair(inner, kind) : undefined;
  if (language === undefined) entities.push({ ...kind, ...place });
  else entities.splice(-1, 1, { type: 'pre', ...place, language });
}

function sameSpan(a: Pick<MessageEntity, 'offset' | 'length'>, b: typeof a): boolean {
  return a.offset === b.offset && a.length === b.length;
}

/** Language of `<pre>` around `<code class="language-x">`, or the reverse: both merge into one entity. */
function languageOfPair(inner: DraftEntity, outer: Kind): string | undefined {
  if (inner.type === 'code' && outer.type === 'pre') return inner.codeLanguage;
  if (inner.type === 'pre' && outer.type === 'code') return outer.codeLanguage;
  return undefined;
}

function kindOf(tag: OpenTag, content: string): Kind | null {
  const style = STYLES[tag.name];
  if (style !== undefined) return { type: style };
  switch (tag.name) {
    case 'code':
      return tag.argument ? { type: 'code', codeLanguage: tag.argument } : { type: 'code' };
    case 'blockquote':
      return { type: tag.argument ? 'expandable_blockquote' : 'blockquote' };
    case 'tg-emoji':
      return customEmoji(tag.argument);
    case 'tg-time':
      return dateTime(tag);
    case 'a':
      return link(tag.argument || content);
    default:
      return { type: tag.name };
  }
}

function customEmoji(id: string): Kind {
  if (!/^[1-9][0-9]{0,18}$/.test(id)) throw parseError('Invalid custom emoji identifier specified');
  return { type: 'custom_emoji', custom_emoji_id: id };
}

function dateTime({ argument: format, unixTime }: OpenTag): Kind | null {
  if (!DATE_FORMAT.test(format)) throw parseError('Invalid date format specified');
  if (unixTime <= 0) return null;
  return { type: 'date_time', unix_time: unixTime, ...(format ? { date_time_format: format } : {}) };
}

/** The entity of a link; null if Telegram cannot use the address and shows plain text, without an error. */
function link(url: string): Kind | null {
  const mentioned = /^tg:\/\/user\?id=([0-9]{1,16})$/.exec(url)?.[1];
  if (mentioned !== undefined) {
    const user = { id: Number(mentioned), is_bot: false, first_name: `User ${mentioned}` };
    return { type: 'text_mention', user };
  }
  const checked = checkedLink(url);
  return checked === null ? null : { type: 'text_link', url: checked };
}

/** The address as Telegram would store it (http:// if it has no scheme), or null if it is not valid. */
function checkedLink(url: string): string | null {
  const hasScheme = /^[a-z][a-z0-9+.-]*:/i.test(url) && !/^[^/]*\.[^/]*:[0-9]/.test(url);
  const address = hasScheme ? url : `http://${url}`;
  if (!/^(https?|tg|ton|tonsite):\/\//i.test(address) || /\s/.test(address)) return null;
  if (/^https?:/i.test(address) && !/^https?:\/\/[^/?#]*([.:]|localhost)[^/?#]*/i.test(address)) return null;
  return URL.canParse(address) ? new URL(address).href : null;
}
