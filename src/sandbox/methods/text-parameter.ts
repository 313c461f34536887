import { badRequest } from '../bot-api-error';
import { formatText, isEmptyText } from '../formatted-text';
import { isRecord, type Params } from '../params';
import type { Settings } from '../settings';
import type { Call } from './call';
import type { FormattedText, MessageEntity } from '../telegram-types';

/** Source: core.telegram.org/bots/api#sendmessage and #senddocument; counted after entities parsing. */
export const LONGEST_TEXT = 4096;
export const LONGEST_CAPTION = 1024;

/**
 * The text of a message.
 *
 * @throws {BotApiError} 400 when it is empty, unparsable or too long
 */
export function readText({ params, world }: Call): FormattedText {
  const raw = params.string('text');
  if (raw === undefined || raw === '') throw badRequest('message text is empty');
  refuseUnknown(params, raw, world.settings);
  const text = formatText(raw, params.string('parse_mode'), readEntities(params, 'entities'));
  if (isEmptyText(text.text)) throw badRequest('text must be non-empty');
  if (text.text.length > LONGEST_TEXT) throw badRequest('message is too long');
  return text;
}

/** The caption of a document, which may be absent. */
export function readCaption({ params, world }: Call): FormattedText {
  const raw = params.string('caption') ?? '';
  refuseUnknown(params, raw, world.settings);
  const text = formatText(raw, params.string('parse_mode'), readEntities(params, 'caption_entities'));
  if (text.text.length > LONGEST_CAPTION) throw badRequest('message caption is too long');
  return text;
}

/** Refuses a format with the error of a server from before it. */
function refuseUnknown(params: Params, html: string, { knowsTimes, knowsFolds }: Settings): void {
  if (params.string('parse_mode')?.toLowerCase() !== 'html') return;
  const offsetOf = (tag: RegExp): number | null => {
    const at = html.search(tag);
    return at < 0 ? null : Buffer.byteLength(html.slice(0, at));
  };
  const time = knowsTimes ? null : offsetOf(/<tg-time[ >]/i);
  if (time !== null)
    throw badRequest(`can't parse entities: Unsupported start tag "tg-time" at byte offset ${time}`);
  const fold = knowsFolds ? null : offsetOf(/<blockquote expandable/i);
  if (fold !== null)
    throw badRequest(
      `can't parse entities: Expected equal sign in declaration of an attribute of the tag "blockquote" at byte offset ${fold}`,
    );
}

function readEntities(params: Params, name: string): MessageEntity[] {
  const given = params.json(name, 'message entities');
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw badRequest("can't parse entities: expected an Array of MessageEntity");
  return given.map(readEntity);
}

/** Fields beside type, offset and length. */
const EXTRAS = ['url', 'user', 'language', 'custom_emoji_id', 'unix_time', 'date_time_format'];

function readEntity(entity: unknown): MessageEntity {
  const refuse = (what: string): Error => badRequest(`can't parse MessageEntity: ${what}`);
  if (!isRecord(entity)) throw refuse('expected an Object');
  const { type, offset, length } = entity;
  if (typeof type !== 'string') throw refuse(`Can't find field "type"`);
  if (typeof offset !== 'number' || !Number.isInteger(offset)) throw refuse(`Can't find field "offset"`);
  if (typeof length !== 'number' || !Number.isInteger(length)) throw refuse(`Can't find field "length"`);
  if (offset < 0 || length < 0) throw badRequest('entity offset and length must be non-negative');
  const extras = EXTRAS.filter((name) => entity[name] !== undefined).map((name) => [name, entity[name]]);
  return { type, offset, length, ...(Object.fromEntries(extras) as Partial<MessageEntity>) };
}
