import fc from 'fast-check';
import { formatText, isEmptyText } from '../../../src/sandbox/formatted-text';

const bold = (offset: number, length: number) => ({ type: 'bold', offset, length });

describe('cleaning', () => {
  it('trims white space on both sides', () => {
    expect(formatText(' \n a b \n ', undefined).text).toBe('a b');
  });

  it('keeps leading white space that an entity begins with, and cuts an entity at the end of the text', () => {
    expect(formatText('<code> a</code>', 'HTML')).toEqual({
      text: ' a',
      entities: [{ type: 'code', offset: 0, length: 2 }],
    });
    expect(formatText('x<b>a </b> ', 'HTML')).toEqual({ text: 'xa', entities: [bold(1, 1)] });
  });

  it('drops bidirectional overrides and carriage returns, shows control characters as spaces, moves entities along', () => {
    expect(formatText('a\u202e\r\tb<b>c\u2028d</b>', 'html')).toEqual({
      text: 'a bcd',
      entities: [bold(3, 2)],
    });
  });

  it('drops a bold nothing', () => {
    expect(formatText('a<b> </b>b', 'HTML')).toEqual({ text: 'a b', entities: [] });
  });

  it.each(['', ' \n', '\u200b\u2060', '\u00ad'])('sees nothing in %j', (text) => {
    expect(isEmptyText(formatText(text, undefined).text)).toBe(true);
  });
});

describe('explicit entities', () => {
  it('are taken as given, and those the server finds by itself are left to it', () => {
    const given = [bold(0, 1), { type: 'mention', offset: 1, length: 1 }];
    expect(formatText('ab', undefined, given).entities).toEqual([bold(0, 1)]);
  });

  it('give way to a parse mode', () => {
    expect(formatText('ab', 'HTML', [bold(0, 1)]).entities).toEqual([]);
  });

  it.each([
    [bold(1, 1), 'entity begins in a middle of a UTF-16 symbol at byte offset 0'],
    [bold(0, 1), 'entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at byte offset 0'],
    [bold(9, 1), 'entity begins after the end of the text at UTF-16 offset 9'],
    [bold(0, 9), 'entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9'],
  ])('%j is refused', (entity, words) => {
    expect(() => formatText('😀a', undefined, [entity])).toThrow(`Bad Request: ${words}`);
  });
});

describe('parse modes', () => {
  it.each(['MarkdownV2', 'Markdown', 'bbcode'])('%s is not spoken here', (mode) => {
    expect(() => formatText('a', mode)).toThrow('Bad Request: unsupported parse_mode');
  });
});

describe('what the server finds by itself', () => {
  it.each([
    ['/pending', 'bot_command', '/pending'],
    ['/pending@some_bot now', 'bot_command', '/pending@some_bot'],
    ['ask @olivia please', 'mention', '@olivia'],
    ['see https://example.org/a?b=1.', 'url', 'https://example.org/a?b=1'],
    ['to ops@example.org', 'email', 'ops@example.org'],
    ['#tag', 'hashtag', '#tag'],
  ])('%s has a %s', (text, type, found) => {
    expect(formatText(text, undefined).entities).toEqual([
      { type, offset: text.indexOf(found), length: found.length },
    ]);
  });

  it.each(['/srv/shop/api', 'a/b', 'x@y', '1#2'])('nothing in %s', (text) => {
    expect(formatText(text, undefined).entities).toEqual([]);
  });

  it('does not look inside code', () => {
    expect(formatText('<code>/pending</code>', 'HTML').entities.map((e) => e.type)).toEqual(['code']);
  });
});

it('every entity of every text lies inside it and is never empty', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.nat(60),
      fc.nat(60),
      (raw, offset, length) => {
        const input = raw.toWellFormed();
        let formatted;
        try {
          formatted = formatText(input, undefined, [bold(offset, length)]);
        } catch (error) {
          expect(String(error)).toContain('entity begin');
          return;
        }
        for (const e of formatted.entities) {
          expect(e.length).toBeGreaterThan(0);
          expect(e.offset + e.length).toBeLessThanOrEqual(formatted.text.length);
        }
        expect(formatted.text).toBe(
          formatted.text.replace(/^[ \n]+(?=.*$)/s, (s) => (formatted.entities[0]?.offset === 0 ? s : '')),
        );
        expect(formatted.text).toMatch(/(^|[^ \n])$/);
      },
    ),
  );
});
