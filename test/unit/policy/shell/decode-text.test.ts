import { decodeText } from '../../../../src/policy/shell/decode-text';

describe('the reading of a text without its quotes', () => {
  it.each([
    [`k'u'be"ctl"`, 'kubectl'],
    [`$'kube'$"ctl"`, 'kubectl'],
    ['$x"y"', '$xy'],
    ['kube\\\nctl', 'kubectl'],
    ['kube\\\r\nctl', 'kubectl'],
    ["$'\\x6bubectl'", 'kubectl'],
    ["$'\\153ubectl'", 'kubectl'],
    ["$'\\u006bubectl'", 'kubectl'],
    ["$'\\U0000006bubectl'", 'kubectl'],
    ["$'\\x{6b}ubectl'", 'kubectl'],
    ["$'\\55\\55force'", '--force'],
    ['\\x{6b', 'x{6b'],
    ['a\\x22b', 'ab'],
    ['kube\u200bctl\0', 'kubectl'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['caf\u00e9 \u{1f600}', 'caf\u00e9 \u{1f600}'],
    ['\\', ''],
    ['', ''],
  ])('of %j is %j', (text, decoded) => {
    expect(decodeText(text, true)).toBe(decoded);
  });

  it('takes a backslash away where a shell does', () => {
    expect(decodeText('k\\ubectl \\x6b \\153', false)).toBe('kubectl x6b 153');
  });

  it('leaves out every character that is not shown, and makes every separator a blank', () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      const isIgnored = /[\p{Default_Ignorable_Code_Point}\0"'\\]/u.test(character);
      const expected = isIgnored ? '' : /\p{Z}/u.test(character) ? ' ' : character;
      if (decodeText(`a${character}b`, true) !== `a${expected}b`) throw new Error(`U+${code.toString(16)}`);
    }
  });
});
