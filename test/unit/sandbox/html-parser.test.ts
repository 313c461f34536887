import fc from 'fast-check';
import { BotApiError } from '../../../src/sandbox/bot-api-error';
import { parseHtml } from '../../../src/sandbox/html-parser';

const refusal = (html: string): string => {
  try {
    parseHtml(html);
  } catch (error) {
    if (error instanceof BotApiError) return error.description;
    throw error;
  }
  throw new Error(`accepted: ${html}`);
};

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

describe('what Telegram understands', () => {
  it.each([
    ['b', 'bold'],
    ['strong', 'bold'],
    ['i', 'italic'],
    ['em', 'italic'],
    ['u', 'underline'],
    ['ins', 'underline'],
    ['s', 'strikethrough'],
    ['strike', 'strikethrough'],
    ['del', 'strikethrough'],
    ['tg-spoiler', 'spoiler'],
    ['code', 'code'],
    ['pre', 'pre'],
    ['blockquote', 'blockquote'],
  ])('<%s> is %s', (tag, type) => {
    expect(parseHtml(`x<${tag}>yz</${tag}>`)).toEqual({
      text: 'xyz',
      entities: [{ type, offset: 1, length: 2 }],
    });
  });

  it.each([
    ['<span class="tg-spoiler">a</span>', { type: 'spoiler' }],
    ['<blockquote expandable>a</blockquote>', { type: 'expandable_blockquote' }],
    [
      '<a href="https://example.org/?a=1&amp;b=2">a</a>',
      { type: 'text_link', url: 'https://example.org/?a=1&b=2' },
    ],
    ['<a href="example.org">a</a>', { type: 'text_link', url: 'http://example.org/' }],
    [
      '<a href="tg://user?id=7">a</a>',
      { type: 'text_mention', user: { id: 7, is_bot: false, first_name: 'User 7' } },
    ],
    [
      '<tg-emoji emoji-id="5368324170671202286">a</tg-emoji>',
      { type: 'custom_emoji', custom_emoji_id: '5368324170671202286' },
    ],
    [
      '<tg-time unix="1700000000" format="r">a</tg-time>',
      { type: 'date_time', unix_time: 1700000000, date_time_format: 'r' },
    ],
    ['<pre><code class="language-sh">a</code></pre>', { type: 'pre', language: 'sh' }],
    ['<code class="language-sh"><pre>a</pre></code>', { type: 'pre', language: 'sh' }],
    ['<code class="language-sh">a</code>', { type: 'code' }],
    ['<B>a</B>', { type: 'bold' }],
    ['<b>a</>', { type: 'bold' }],
  ])('%s', (html, entity) => {
    expect(parseHtml(html)).toEqual({ text: 'a', entities: [{ ...entity, offset: 0, length: 1 }] });
  });

  it('keeps nested entities, the outer one first', () => {
    expect(parseHtml('<b>a<i>b</i></b>').entities).toEqual([
      { type: 'bold', offset: 0, length: 2 },
      { type: 'italic', offset: 1, length: 1 },
    ]);
  });

  it('knows four names and numeric references, and leaves every other ampersand alone', () => {
    expect(parseHtml('&lt;&gt;&amp;&quot;&#65;&#x42;&lt &nbsp; &copy; &constructor; a&b &').text).toBe(
      '<>&"AB< &nbsp; &copy; &constructor; a&b &',
    );
  });

  it('drops a link it cannot use, and keeps its text', () => {
    expect(parseHtml('<a href="javascript:alert(1)">a</a>')).toEqual({ text: 'a', entities: [] });
  });
});

describe('what Telegram refuses, in its words', () => {
  const prefix = "Bad Request: can't parse entities: ";

  it.each([
    ['<x>a</x>', 'Unsupported start tag "x" at byte offset 0'],
    ['é<br>', 'Unsupported start tag "br" at byte offset 2'],
    ['👍 <constructor>', 'Unsupported start tag "constructor" at byte offset 5'],
    ['a < b', 'Unsupported start tag "" at byte offset 2'],
    ['<b', 'Unclosed start tag at byte offset 0'],
    ['<b>a', `Can't find end tag corresponding to start tag "b"`],
    ['a</b>', 'Unexpected end tag at byte offset 1'],
    ['<b>a</i>', 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'],
    ['<b>a</b', 'Unclosed end tag at byte offset 4'],
    ['<span>a</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'],
    ['<a =x>a</a>', 'Empty attribute name in the tag "a" at byte offset 0'],
    ['<a href>a</a>', 'Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0'],
    ['<a href=a/b>a</a>', 'Unexpected end of name token at byte offset 8'],
    ['<a href="x>a</a>', 'Unclosed start tag at byte offset 0'],
    ['<tg-emoji emoji-id="x">a</tg-emoji>', 'Invalid custom emoji identifier specified'],
    [
      '&#xd800;',
      'Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units',
    ],
  ])('%s', (html, words) => {
    expect(refusal(html)).toBe(prefix + words);
  });
});

describe('for every text', () => {
  const anyText = fc.string({ unit: 'grapheme', maxLength: 60 });
  const tag = fc.constantFrom('b', 'i', 'u', 's', 'tg-spoiler', 'code', 'pre', 'blockquote');

  it('escaped text comes back whole, without entities', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(parseHtml(escapeHtml(text))).toEqual({ text, entities: [] });
      }),
    );
  });

  it('an entity covers exactly its text, counted in UTF-16 units', () => {
    fc.assert(
      fc.property(
        anyText,
        anyText.filter((t) => t !== ''),
        anyText,
        tag,
        (before, inside, after, name) => {
          const html = `${escapeHtml(before)}<${name}>${escapeHtml(inside)}</${name}>${escapeHtml(after)}`;
          const { text, entities } = parseHtml(html);
          expect(text).toBe(before + inside + after);
          expect(entities.map((e) => text.slice(e.offset, e.offset + e.length))).toEqual([inside]);
        },
      ),
    );
  });

  it('anything at all is either parsed or refused with "can\'t parse entities"', () => {
    const hostile = fc.array(
      fc.constantFrom(
        '<',
        '>',
        '/',
        '&',
        ';',
        '#',
        'x',
        '"',
        "'",
        '=',
        ' ',
        'b',
        'a',
        'href',
        '</b>',
        '<b>',
        '\0',
        '😀',
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(hostile, (parts) => {
        const html = parts.join('');
        try {
          const { text, entities } = parseHtml(html);
          expect(
            entities.every((e) => e.offset >= 0 && e.length > 0 && e.offset + e.length <= text.length),
          ).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(BotApiError);
          expect(String(error)).toContain("can't parse entities");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
