/** Telegram's limit for a message, counted here in UTF-16 units, which is never less than what it counts. */
export const MAX_MESSAGE_LENGTH = 4096;

/** Stands before every line of a block where no format sets it apart. */
const PLAIN_MARK = '│ ';

/**
 * A piece of a message: `html` for the parse mode HTML, and `text` exactly as the Bot API holds it after parsing.
 * `plain` is for a server that takes no format: there, too, no line of an action passes for one of the card. With the
 * marks that this takes it can be longer than a message may be.
 */
export interface RichText {
  readonly html: string;
  readonly text: string;
  readonly plain: string;
}

/** A language that Telegram colours; fixed names, never from outside. */
export type CodeLanguage = 'bash' | 'json' | 'powershell';

/**
 * Our own words. What comes from outside goes into `code` or `pre`: only there Telegram makes no links, mentions
 * or commands of it.
 */
export function words(text: string): RichText {
  return { html: escapeHtml(text), text, plain: text };
}

export function bold(text: string): RichText {
  return { html: `<b>${escapeHtml(text)}</b>`, text, plain: text };
}

export function code(text: string): RichText {
  return { html: `<code>${escapeHtml(text)}</code>`, text, plain: marked(text) };
}

export function pre(text: string, language?: CodeLanguage): RichText {
  const inner = escapeHtml(text);
  const html = language
    ? `<pre><code class="language-${language}">${inner}</code></pre>`
    : `<pre>${inner}</pre>`;
  return { html, text, plain: PLAIN_MARK + marked(text) };
}

/** A moment that clients show relative to their own clock and keep up to date; `fallback` where they cannot. */
export function relativeTime(moment: Date, fallback: string): RichText {
  const unixSeconds = Math.floor(moment.getTime() / 1000);
  return {
    html: `<tg-time unix="${unixSeconds}" format="r">${escapeHtml(fallback)}</tg-time>`,
    text: fallback,
    plain: fallback,
  };
}

/** Pieces one behind the other; strings are our own words. */
export function join(parts: readonly (RichText | string)[], separator = ''): RichText {
  const pieces = parts.map((part) => (typeof part === 'string' ? words(part) : part));
  return {
    html: pieces.map((piece) => piece.html).join(separator),
    text: pieces.map((piece) => piece.text).join(separator),
    plain: pieces.map((piece) => piece.plain).join(separator),
  };
}

/** Tagged template: the literal parts are our own words, strings put in are shown as code. */
export function rich(
  literals: TemplateStringsArray,
  ...values: readonly (RichText | string | number)[]
): RichText {
  return join(
    literals.flatMap((literal, i) => {
      const value = values[i];
      if (value === undefined) return [literal];
      return [
        literal,
        typeof value === 'number' ? String(value) : typeof value === 'string' ? code(value) : value,
      ];
    }),
  );
}

function marked(text: string): string {
  return text.replaceAll('\n', `\n${PLAIN_MARK}`);
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
