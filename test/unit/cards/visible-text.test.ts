import fc from 'fast-check';
import { visibleBlock, visibleJson, visibleLine } from '../../../src/cards/visible-text/visible-text';
import { hostileText, PAINTING_MARK, UNSEEN_BUT_LINE_END } from './hostile-text';

/** The way back, as `visibleBlock` documents it: possible only if no two texts look alike. */
function decode(visible: string): string {
  return visible.replace(/\\u\{([0-9a-f]+)(?:×([0-9]+))?\}|⇥/g, (mark, hex?: string, count?: string) =>
    mark === '⇥' ? '\t' : String.fromCodePoint(parseInt(hex ?? '', 16)).repeat(Number(count ?? 1)),
  );
}

describe.each([
  ['visibleBlock', visibleBlock],
  ['visibleLine', visibleLine],
])('%s', (_name, visible) => {
  it('is exact: the text can be read back from it, so different texts never look alike', () => {
    fc.assert(
      fc.property(hostileText, (text) => expect(decode(visible(text))).toBe(text)),
      { numRuns: 1000 },
    );
  });

  it('holds nothing that cannot be seen', () => {
    fc.assert(
      fc.property(hostileText, (text) => expect(visible(text)).not.toMatch(UNSEEN_BUT_LINE_END)),
      {
        numRuns: 1000,
      },
    );
  });

  it('holds no mark that would be drawn over anything but its letter', () => {
    const marks = fc.constantFrom(
      ...['\u0e49', '\u0e34', '\u0300', '\u05b8', '\u064b', '\u0653', '\u093f', '\u094d', '\u20dd', '\ufe0f'],
      ...['ก', 'क', 'ש', 'ش', 'a', ' ', '\n', '1', '😀', '\u{1e8d0}', '\u{10a01}', '\u{11131}', '\u200d'],
    );
    fc.assert(
      fc.property(fc.array(marks, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        expect(visible(text)).not.toMatch(PAINTING_MARK);
        expect(decode(visible(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves letters with their own marks as they are', () => {
    for (const text of [
      'Tiếng Việt có dấu',
      'ภาษาไทยน้ำผึ้งที่นี่',
      'हिन्दी में नमस्ते, संस्कृत कार्त्स्न्य',
      'বাংলা, தமிழ், తెలుగు, ಕನ್ನಡ, മലയാളം, සිංහල',
      'العَرَبِيَّةُ السَّلَامُ',
      'שָׁלוֹם עִבְרִית',
      'ភាសាខ្មែរ',
    ])
      expect(visible(text)).toBe(text);
  });

  it('leaves ordinary text of any script as it is', () => {
    for (const text of [
      'rm -rf "$HOME/x" && C:\\dir\\new\\u0041',
      'Grüße, naïve café',
      'привет мир',
      '日本語テキスト',
      'नमस्ते',
      '👍🏽',
    ]) {
      expect(visible(text)).toBe(text);
    }
  });

  it.each([
    ['\u001b[2J', '\\u{1b}[2J'],
    ['a\rb', 'a\\u{d}b'],
    ['a\0b', 'a\\u{0}b'],
    ['a\u007fb\u0085', 'a\\u{7f}b\\u{85}'],
    ['rm\u200b -rf', 'rm\\u{200b} -rf'],
    ['\u202egpj.exe', '\\u{202e}gpj.exe'],
    ['\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['\u{e0061}\u{e007f}', '\\u{e0061}\\u{e007f}'],
    ['x\ufe0f', 'x\\u{fe0f}'],
    ['x\u{e0100}', 'x\\u{e0100}'],
    ['a\u2800b', 'a\\u{2800}b'],
    ['a\u3164b\u115f\uffa0', 'a\\u{3164}b\\u{115f}\\u{ffa0}'],
    ['so\u00adft', 'so\\u{ad}ft'],
    ['a\u00a0b\u3000c\u2009d', 'a\\u{a0}b\\u{3000}c\\u{2009}d'],
    ['a\u034fb', 'a\\u{34f}b'],
    ['e\u0301', 'e\\u{301}'],
    ['Tie\u0302\u0301ng', 'Tie\\u{302}\\u{301}ng'],
    ['rm\u0e49', 'rm\\u{e49}'],
    ['\u0e49rm', '\\u{e49}rm'],
    ['a \u0e49', 'a \\u{e49}'],
    ['😀\u0e49', '😀\\u{e49}'],
    ['ก\u0e34\u0e49', 'ก\u0e34\u0e49'],
    ['ก' + '\u0e49'.repeat(9), 'ก\u0e49\u0e49\\u{e49×7}'],
    ['ก\u0e34\u0e49\u0e4d', 'ก\u0e34\u0e49\\u{e4d}'],
    ['ก\u093f\u0e49', 'ก\\u{93f}\\u{e49}'],
    ['ก\u200b\u0e49', 'ก\\u{200b}\\u{e49}'],
    ['ש\u064b', 'ש\\u{64b}'],
    ['ا\u0653', 'ا\\u{653}'],
    ['ಕ್ಕ್ಕ್ಕ್ಕ್ಕ್ಕ', 'ಕ್ಕ್ಕ್ಕ್ಕ\\u{ccd}ಕ\\u{ccd}ಕ'],
    ['\u{1e8d0}', '\\u{1e8d0}'],
    ['a\u030a', 'a\\u{30a}'],
    ['a\u20dd', 'a\\u{20dd}'],
    ['\ue000\u{f0000}', '\\u{e000}\\u{f0000}'],
    ['\u0378\uffff', '\\u{378}\\u{ffff}'],
    ['\ud800x\udfff', '\\u{d800}x\\u{dfff}'],
    ['\ufeffx\ufffc', '\\u{feff}x\\u{fffc}'],
    ['\u2028\u2029', '\\u{2028}\\u{2029}'],
    ['\u{13441}', '\\u{13441}'],
    ['\\u{202e}', '\\u{5c}u{202e}'],
    ['\\\\u{202e}', '\\\\u{5c}u{202e}'],
    ['\\\u202e', '\\\\u{202e}'],
    ['⇥', '\\u{21e5}'],
    ['x' + '\u200b'.repeat(3000) + 'y', 'x\\u{200b×3000}y'],
    ['a' + ' '.repeat(2000) + 'rm', 'a\\u{20×2000}rm'],
    ['a' + ' '.repeat(40) + 'b', 'a' + ' '.repeat(40) + 'b'],
  ])('shows %j as it is', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });
});

describe('visibleBlock', () => {
  it.each([
    ['a\n\nb\n\n\nc', 'a\n\nb\n\n\nc'],
    ['if x:\n    y\n\tz', 'if x:\n    y\n⇥z'],
    ['ls' + '\n'.repeat(500) + 'rm -rf /', 'ls\n\\u{a×498}\nrm -rf /'],
    ['a' + '\n'.repeat(4) + 'b', 'a\n\\u{a}\\u{a}\nb'],
    ['echo \\ \nb', 'echo \\\\u{20}\nb'],
    ['a  ', 'a\\u{20}\\u{20}'],
    ['a\r\nb', 'a\\u{d}\nb'],
    ['\t'.repeat(500) + 'x', '\\u{9×500}x'],
    ['', ''],
  ])('shows %j with its lines', (text, shown) => {
    expect(visibleBlock(text)).toBe(shown);
  });
});

describe('visibleLine', () => {
  it.each([
    ['a\nb\tc', 'a\\u{a}b\\u{9}c'],
    [' a b ', '\\u{20}a b\\u{20}'],
    ['x' + '\n'.repeat(9), 'x\\u{a×9}'],
  ])('shows %j in one line', (text, shown) => {
    expect(visibleLine(text)).toBe(shown);
  });
});

describe('visibleJson', () => {
  it('means the same, with nothing unseen in it', () => {
    fc.assert(
      fc.property(fc.dictionary(hostileText, hostileText), (value) => {
        const shown = visibleJson(JSON.stringify(value));
        expect(JSON.parse(shown)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(shown).not.toMatch(UNSEEN_BUT_LINE_END);
        expect(shown).not.toContain('\n');
      }),
    );
  });

  it('escapes marks that would be drawn over anything but their letter', () => {
    expect(visibleJson('"\u0e49ก\u0e49\u0e49\u0e49\u0e49"')).toBe('"\\u0e49ก\u0e49\u0e49\\u0e49\\u0e49"');
  });

  it('writes a character outside the first plane as two escapes', () => {
    expect(visibleJson('"\u{e0041} x"')).toBe('"\\udb40\\udc41 x"');
  });
});
