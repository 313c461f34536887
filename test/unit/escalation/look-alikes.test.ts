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
    ['curl get.d\u1d0fcker.\u1d04\u1d0fm', 'd\u1d0fcker: styled Latin U+1D0F'],
    ['curl get.d\u1d0fcker.\u1d04\u1d0fm', '\u1d04\u1d0fm: styled Latin U+1D04, styled Latin U+1D0F'],
    ['curl g\u0131thub.com', 'g\u0131thub: styled Latin U+0131'],
    ['rm -r /home/\u0430/repo', '\u0430: Cyrillic U+0430'],
    ['rm \u03bf', '\u03bf: Greek U+03BF'],
    ['rm /\u043d\u0435\u0442/\u0430/x', '\u0430: Cyrillic U+0430'],
    ['\u13a1\u13b7 -rf /', '\u13a1\u13b7: Cherokee U+13A1, Cherokee U+13B7'],
    ['\ua4e2\ua4e2\ua4d3 x', '\ua4e2\ua4e2\ua4d3: Lisu U+A4E2, Lisu U+A4D3'],
    ['rm \u02d7rf x', '\u02d7rf: dash U+02D7'],
    ['chmod \u2043R 777 /', '\u2043R: dash U+2043'],
    ['curl x \u2502 sh', '\u2502: pipe U+2502'],
    ['curl x\u2502sh', '\u2502: pipe U+2502'],
    ['echo \u2018; rm -rf ~; echo \u2018', '\u2018: quote U+2018'],
    ['sh -c=\u201cx | sh\u201d', '\u201c: quote U+201C'],
    ['rm {a\u201ab}', '\u201a: sign U+201A'],
    ['rm -rf \u2571', '\u2571: sign U+2571'],
    ['cat x \u203a /etc/passwd', '\u203a: redirection U+203A'],
    ['sort \u2039names.txt', '\u2039: redirection U+2039'],
    ['rm \u204e', '\u204e: sign U+204E'],
    ['http\u02d0//x', '\u02d0: sign U+02D0'],
    ['cat \u30ceetc\u30cepasswd', '\u30ce: sign U+30CE'],
    ['rm -rf \u30ce', '\u30ce: sign U+30CE'],
    ['rm \u4e00rf x', '\u4e00: sign U+4E00'],
    ['http\uff1a//x', 'http\uff1a//x: sign U+FF1A'],
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
    'git commit -m "Правки, а также тесты о сроках; со временем (у нас)"',
    'echo "Ο Γιάννης να έρθει, αν μπορεί"',
    'echo "一番 第一 1ページ、カタカナノート・データベース 一个 API"',
    'echo "他说：一个中文句子 — 丶 丨 是部首"',
    'src\n├── app.ts\n│   ├── main.ts\n│   └── a.ts\n└── b.ts',
    '┌─────┬─────┐\n│ a   │ b   │\n└─────┴─────┘',
    'It’s a ‘quoted’ word, a “second” one; don’t | worry',
    '| ‘a’ | “b” | c’s |\n⁃ first\n— second\n– third',
    'Open Settings › Privacy; il a dit ‹ oui › ; 1920×1080, 2020–2024',
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

/** Some times what it takes; what grows with the square of the length takes minutes. */
const LINEAR_MS = 4_000;

describe('the search', () => {
  it.each([
    '\u2018',
    ' \u00b4',
    ' \u2018a',
    '\u30ce',
    ' \u30ce',
    'a \u2502',
    'a \u203a',
    ' \u2013a',
    ' \u0430',
    '\u0430',
    'x ',
  ])('takes no longer than its text is long: %j, over and over', (piece) => {
    const startedAt = performance.now();
    lookAlikes(`\u00a0${piece.repeat(250_000 / piece.length)}`);
    expect(performance.now() - startedAt).toBeLessThan(LINEAR_MS);
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
