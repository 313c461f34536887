import {
  hasRightToLeftLetters,
  lookAlikes,
  LookAlikeSearch,
} from '../../../src/cards/look-alikes/look-alikes';
import { runAtOnce } from '../../../src/kernel/steps';

function named(text: string): string[] {
  return lookAlikes(text).map(
    ({ word, characters }) =>
      `${word}: ${characters.map((each) => `${each.script} ${each.codePoint}`).join(', ')}`,
  );
}

describe('look-alike letters', () => {
  it.each<readonly [text: string, expected: string]>([
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
    ['echo \ua78c$(id)\ua78c', '\ua78c: quote U+A78C'],
    ['echo \u0374$(id)\u0374', '\u0374: quote U+0374'],
    ['echo \u05f3$(id)\u05f3', '\u05f3: quote U+05F3'],
    ['echo a\ua78c`id`\ua78c', '\ua78c: quote U+A78C'],
    ['echo \u2019${x}\u2019', '\u2019: quote U+2019'],
    ['echo \u05d9$(id)\u05d9', '\u05d9: quote U+05D9'],
    ['echo \u05f4; rm -rf ~; echo \u05f4', '\u05f4: quote U+05F4'],
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
    // Names of commands, among arguments of the same script.
    ['\u0441\u0440 отчёт', '\u0441\u0440: Cyrillic U+0441, Cyrillic U+0440'],
    ['\u0455\u04bb скрипт', '\u0455\u04bb: Cyrillic U+0455, Cyrillic U+04BB'],
    ['\u03bd\u03b9 αρχείο', '\u03bd\u03b9: Greek U+03BD, Greek U+03B9'],
    ...[
      'ls\n\u0441\u0440 отчёт',
      'ls | \u0441\u0440 отчёт',
      'ls |\u0441\u0440 отчёт',
      'ls && \u0441\u0440 отчёт',
      'ls; \u0441\u0440 отчёт',
      'ls & \u0441\u0440 отчёт',
      'echo $(\u0441\u0440 отчёт)',
      'echo "$(\u0441\u0440 отчёт)"',
      'echo "`\u0441\u0440 отчёт`"',
      '(\u0441\u0440 отчёт)',
      '{ \u0441\u0440 отчёт; }',
      '! \u0441\u0440 отчёт',
      'sudo \u0441\u0440 отчёт',
      'sudo -u bob \u0441\u0440 отчёт',
      'env A=1 \u0441\u0440 отчёт',
      'A="б в" \u0441\u0440 отчёт',
      'timeout 5 \u0441\u0440 отчёт',
      'ls | xargs -n 1 \u0441\u0440 отчёт',
      'find . -exec \u0441\u0440 отчёт {} +',
      "sh -c '\u0441\u0440 отчёт'",
      'bash -lc "ls; \u0441\u0440 отчёт"',
      "eval '\u0441\u0440 отчёт'",
      '"\u0441\u0440" отчёт',
      '\\\u0441\u0440 отчёт',
      'if true; then \u0441\u0440 отчёт; fi',
      "echo it\\'s; \u0441\u0440 отчёт",
      "# don't\n\u0441\u0440 отчёт",
      "echo $'it\\'s'; \u0441\u0440 отчёт",
      "cat <<E\nit's\nE\n\u0441\u0440 отчёт",
      'bash <<E\n\u0441\u0440 отчёт\nE',
      'cat <<E\n\u0441\u0440 отчёт',
      'ls > файл; \u0441\u0440 отчёт',
      'ls 2>&1; \u0441\u0440 отчёт',
      'case x in x) \u0441\u0440 отчёт;; esac',
      'ls \\\n  -l\n\u0441\u0440 отчёт',
    ].map((text) => [text, '\u0441\u0440: Cyrillic U+0441, Cyrillic U+0440'] as const),
    [
      'запуск x',
      'запуск: Cyrillic U+0437, Cyrillic U+0430, Cyrillic U+043F, Cyrillic U+0443, Cyrillic U+0441, Cyrillic U+043A',
    ],
    [
      './сборка',
      'сборка: Cyrillic U+0441, Cyrillic U+0431, Cyrillic U+043E, Cyrillic U+0440, Cyrillic U+043A, Cyrillic U+0430',
    ],
    ['l\u0073; caf\u00e9', 'caf\u00e9: Latin U+00E9'],
    ['猫 x', '猫: other script U+732B'],
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
    'git commit -m "ירושלים; תל אביב & חיפה, צה״ל; ג׳ירפה"',
    'It’s a ‘quoted’ word, a “second” one; don’t | worry',
    '| ‘a’ | “b” | c’s |\n⁃ first\n— second\n– third',
    'Open Settings › Privacy; il a dit ‹ oui › ; 1920×1080, 2020–2024',
    'git commit -m "Правки\n\nПодробности; и ещё (со скобкой) | и ещё"',
    "git commit -m 'Правки' -m 'Ещё'; ls",
    "git commit -F - <<'E'\nПравки, ср. выше\n\nПодробности\nE\nls",
    'cat > файл <<-E\n\tПривет\n\tE\nls',
    'for x in а б; do echo "$x"; done',
    'cp отчёт копия && cat < отчёт > копия; X=привет ls # привет',
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

describe('the most dangerous look-alikes', () => {
  it('come first, and all are counted', () => {
    const search = new LookAlikeSearch(2);
    const look = (text: string): void => {
      runAtOnce(search.look(text, { isCommand: true }));
    };
    look('echo p\u0430 d\u0430 t\u0430 /opt/z\u0430 cu\u0433l | b\u0430sh');
    expect(search.worst(2).map(({ word }) => word)).toEqual(['b\u0430sh', 'z\u0430']);
    look('\u0441\u0440 отчёт');
    expect(search.worst(3).map(({ word }) => word)).toEqual(['b\u0430sh', '\u0441\u0440', 'z\u0430']);
    expect(search.count).toBe(7);
  });

  it('are not hidden by the same word in a harmless place before', () => {
    expect(lookAlikes('echo p\u0430 b\u0430\nb\u0430 x').map(({ word }) => word)).toEqual([
      'b\u0430',
      'p\u0430',
    ]);
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
