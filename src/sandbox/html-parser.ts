import { addEntity, isKnownTag, parseError, type DraftEntity, type OpenTag } from './html-tags';
import type { FormattedText, MessageEntity } from './telegram-types';

const NAMED_CHARACTERS: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

/** Telegram gives up on a numeric reference of ten characters or more. */
const LONGEST_NUMERIC_REFERENCE = 9;

const isSpace = (c: string): boolean => c === '' || ' \t\r\n\0\v'.includes(c);

/**
 * Parses Telegram's HTML mode. It knows the same tags and character references, and refuses the same input with the
 * same descriptions and byte offsets (into the UTF-8 form of the input).
 *
 * The rules are those of TDLib's `MessageEntity.cpp` and core.telegram.org/bots/api#html-style.
 *
 * @throws {BotApiError} 400 "can't parse entities: …"
 */
export function parseHtml(html: string): FormattedText {
  return new HtmlParser(html).parse();
}

class HtmlParser {
  private position = 0;
  private text = '';
  private readonly open: OpenTag[] = [];
  private readonly entities: DraftEntity[] = [];

  constructor(private readonly html: string) {}

  parse(): FormattedText {
    while (this.position < this.html.length) {
      const c = this.peek();
      if (c === '&') this.text += this.reference() ?? this.take();
      else if (c !== '<') this.text += this.take();
      else if (this.html[this.position + 1] === '/') this.endTag();
      else this.startTag();
    }
    const unclosed = this.open.at(-1);
    if (unclosed) throw parseError(`Can't find end tag corresponding to start tag "${unclosed.name}"`);
    if (!this.text.isWellFormed()) {
      throw parseError(
        'Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units',
      );
    }
    return { text: this.text, entities: this.entities.map(finished).sort(outermostFirst) };
  }

  private peek(): string {
    return this.html[this.position] ?? '';
  }

  private take(): string {
    return this.html[this.position++] ?? '';
  }

  private takeWhile(wanted: (c: string) => boolean): string {
    const from = this.position;
    while (this.position < this.html.length && wanted(this.peek())) this.position++;
    return this.html.slice(from, this.position);
  }

  private atEnd(): boolean {
    return this.position >= this.html.length;
  }

  /** Error offsets count bytes of UTF-8. */
  private byteOffset(position: number): number {
    return Buffer.byteLength(this.html.slice(0, position), 'utf8');
  }

  /** The decoded character reference at the position, or null when `&` stands for itself. */
  private reference(): string | null {
    const numeric = /^&#(?:x([0-9a-fA-F]*)|([0-9]*))/.exec(
      this.html.slice(this.position, this.position + 64),
    );
    if (numeric) {
      const code = numeric[1] === undefined ? Number(numeric[2]) : parseInt(numeric[1] || '0', 16);
      if (code === 0 || code >= 0x10ffff || numeric[0].length > LONGEST_NUMERIC_REFERENCE) return null;
      this.skipReference(numeric[0].length);
      return String.fromCodePoint(code);
    }
    const name = /^&([a-zA-Z]*)/.exec(this.html.slice(this.position, this.position + 64))?.[1] ?? '';
    const character = Object.hasOwn(NAMED_CHARACTERS, name) ? NAMED_CHARACTERS[name] : undefined;
    if (character === undefined) return null;
    this.skipReference(1 + name.length);
    return character;
  }

  private skipReference(length: number): void {
    this.position += length;
    if (this.peek() === ';') this.position++;
  }

  private startTag(): void {
    const begin = this.position++;
    const name = this.takeWhile((c) => !isSpace(c) && c !== '>').toLowerCase();
    if (this.atEnd()) throw parseError(`Unclosed start tag at byte offset ${this.byteOffset(begin)}`);
    if (!isKnownTag(name)) {
      throw parseError(`Unsupported start tag "${name}" at byte offset ${this.byteOffset(begin)}`);
    }
    let argument = '';
    let unixTime = 0;
    for (;;) {
      this.takeWhile(isSpace);
      if (this.peek() === '>') break;
      const { attribute, value } = this.attribute(name, begin);
      if (name === 'a' && attribute === 'href') argument = value;
      else if (name === 'code' && attribute === 'class' && value.startsWith('language-'))
        argument = value.slice(9);
      else if (name === 'span' && attribute === 'class' && value.startsWith('tg-')) argument = value.slice(3);
      else if (name === 'tg-emoji' && attribute === 'emoji-id') argument = value;
      else if (name === 'blockquote' && attribute === 'expandable') argument = '1';
      else if (name === 'tg-time' && attribute === 'unix') unixTime = parseInt(value, 10) || 0;
      else if (name === 'tg-time' && attribute === 'format') argument = value;
    }
    this.position++;
    if (name === 'span' && argument !== 'spoiler') {
      throw parseError(`Tag "span" must have class "tg-spoiler" at byte offset ${this.byteOffset(begin)}`);
    }
    this.open.push({ name, argument, unixTime, offset: this.text.length });
  }

  private attribute(tag: string, begin: number): { attribute: string; value: string } {
    const attribute = this.takeWhile((c) => !isSpace(c) && c !== '=' && c !== '>');
    const where = `the tag "${tag}" at byte offset ${this.byteOffset(begin)}`;
    if (attribute === '') throw parseError(`Empty attribute name in ${where}`);
    this.takeWhile(isSpace);
    if (this.atEnd())
      throw parseError(`Unclosed start tag "${tag}" at byte offset ${this.byteOffset(begin)}`);
    if (this.peek() !== '=') {
      if (tag === 'blockquote' && attribute === 'expandable') return { attribute, value: '' };
      throw parseError(`Expected equal sign in declaration of an attribute of ${where}`);
    }
    this.position++;
    this.takeWhile(isSpace);
    if (this.atEnd())
      throw parseError(`Unclosed start tag "${tag}" at byte offset ${this.byteOffset(begin)}`);
    const value = this.attributeValue();
    if (this.atEnd()) throw parseError(`Unclosed start tag at byte offset ${this.byteOffset(begin)}`);
    return { attribute, value };
  }

  private attributeValue(): string {
    const quote = this.peek();
    if (quote !== '"' && quote !== "'") {
      const begin = this.position;
      const token = this.takeWhile((c) => /[a-zA-Z0-9.-]/.test(c)).toLowerCase();
      if (!isSpace(this.peek()) && this.peek() !== '>') {
        throw parseError(`Unexpected end of name token at byte offset ${this.byteOffset(begin)}`);
      }
      return token;
    }
    this.position++;
    let value = '';
    while (!this.atEnd() && this.peek() !== quote) {
      value += (this.peek() === '&' ? this.reference() : null) ?? this.take();
    }
    this.position++;
    return value;
  }

  private endTag(): void {
    const begin = this.position;
    const tag = this.open.at(-1);
    if (!tag) throw parseError(`Unexpected end tag at byte offset ${this.byteOffset(begin)}`);
    this.position += 2;
    const name = this.takeWhile((c) => !isSpace(c) && c !== '>').toLowerCase();
    this.takeWhile(isSpace);
    if (this.peek() !== '>') throw parseError(`Unclosed end tag at byte offset ${this.byteOffset(begin)}`);
    if (name !== '' && name !== tag.name) {
      const offset = this.byteOffset(begin);
      throw parseError(
        `Unmatched end tag at byte offset ${offset}, expected "</${tag.name}>", found "</${name}>"`,
      );
    }
    this.position++;
    this.open.pop();
    if (this.text.length > tag.offset) addEntity(this.entities, tag, this.text);
  }
}

function finished({ codeLanguage: _, ...entity }: DraftEntity): MessageEntity {
  return entity;
}

/** Telegram's order: by offset, longer before shorter, so that an entity precedes those inside it. */
export function outermostFirst(a: MessageEntity, b: MessageEntity): number {
  return a.offset - b.offset || b.length - a.length;
}
