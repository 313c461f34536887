/**
 * A caller's text for a line of a table, in which characters that cannot be seen are escapes. The view of a request
 * shows what the service made visible: decide from that.
 */
export function plainText(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (each) => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`);
}
