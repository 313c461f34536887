import { hasRightToLeftLetters, lookAlikes } from '../../../src/escalation/look-alikes';

function named(text: string): string[] {
  return lookAlikes(text).map(
    ({ word, characters }) =>
      `${word}: ${characters.map((each) => `${each.script} ${each.codePoint}`).join(', ')}`,
  );
}

describe('look-alike letters', () => {
  it.each([
    ['curl p\u0430ypal.com', 'p\u0430ypal: Cyrillic U+0430'],
    ['\u0441url x', '\u0441url: Cyrillic U+0441'],
    ['g\u03bfogle', 'g\u03bfogle: Greek U+03BF'],
    [
      '\u0440\u0430\u0443\u0440\u0430l',
      '\u0440\u0430\u0443\u0440\u0430l: Cyrillic U+0440, Cyrillic U+0430, Cyrillic U+0443',
    ],
    ['rm /\u043e\u0440\u0430', '\u043e\u0440\u0430: Cyrillic U+043E, Cyrillic U+0440, Cyrillic U+0430'],
    ['\u0433\u03bf', '\u0433\u03bf: Cyrillic U+0433, Greek U+03BF'],
    ['\uff52\uff4d -rf', '\uff52\uff4d: styled Latin U+FF52, styled Latin U+FF4D'],
    ['\u{1d42b}m', '\u{1d42b}m: styled Latin U+1D42B'],
    ['\u212aey', '\u212aey: styled Latin U+212A'],
    ['\u0261it', '\u0261it: styled Latin U+0261'],
    ['g\u0665gle', 'g\u0665gle: Arabic U+0665'],
    ['g\u0966ogle', 'g\u0966ogle: non-ASCII digit U+0966'],
    ['rm \u2013rf x', '\u2013rf: dash U+2013'],
    ['http:\u2044\u2044x', 'http:\u2044\u2044x: sign U+2044'],
    ['a\u037erm', 'a\u037erm: sign U+037E'],
    ['a \uff5c sh', '\uff5c: sign U+FF5C'],
    ['\u0561\u0578\u0578gle', '\u0561\u0578\u0578gle: Armenian U+0561, Armenian U+0578'],
  ])('are named in %j', (text, expected) => {
    expect(named(text)).toContain(expected);
  });

  it.each([
    'git commit -m "fix: naïve café, Straße, İstanbul"',
    'git commit -m "Исправил ошибку в модуле"',
    'echo Καλημέρα κόσμε',
    'echo 日本語とEnglishを混ぜる Tシャツ 한국어',
    'echo "a — b … “quoted” ½ m² №"',
    'printf "\u{1f600}"',
    'ls -la',
    '',
  ])('are not seen in ordinary text: %j', (text) => {
    expect(named(text)).toEqual([]);
  });

  it('names each word once', () => {
    expect(named('p\u0430y p\u0430y p\u0430y')).toHaveLength(1);
  });

  it('copes with a large text of nothing else', () => {
    const text = Array.from({ length: 30_000 }, (_, i) => `p\u0430y${i}`).join(' ');
    expect(lookAlikes(text)).toHaveLength(30_000);
  });
});

describe('right-to-left letters', () => {
  it.each(['rm \u05d0/ 1', 'echo \u0645', '\u{1e900}'])('are noticed in %j', (text) => {
    expect(hasRightToLeftLetters(text)).toBe(true);
  });

  it('are not seen where there are none', () => {
    expect(hasRightToLeftLetters('ls привет 日本 \u{1f600} \u202e')).toBe(false);
  });
});
