/** Telegram's limit for a message, counted here in UTF-16 units; Telegram's own count is never higher. */
export const MAX_MESSAGE_LENGTH = 4096;

/** Precedes every line of a block in a message without formats. */
const PLAIN_MARK = '│ ';

/**
 * A piece of a message: `html` for the parse mode HTML, and `text` exactly as the Bot API holds it after parsing.
 * `plain` is for a server that accepts no formats: marks keep any line of an action from imitating one of the card.
 * With these marks it can exceed the limit of a message.
 */
export interface RichText {
  readonly html: string;
  readonly text: string;
  readonly plain: string;
}

/** A language for Telegram's syntax colours; always one of these fixed names. */
export type CodeLanguage = 'bash' | 'json' | 'powershell';

/**
 * The service's own words. Put text from outside into `code` or `pre`: only there Telegram does not turn it into links,
 * mentions or commands.
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

/** A moment that clients show relative to their clock and keep up to date; `fallback` if they cannot. */
export function relativeTime(moment: Date, fallback: string): RichText {
  const unixSeconds = Math.floor(moment.getTime() / 1000);
  return {
    html: `<tg-time unix="${unixSeconds}" format="r">${escapeHtml(fallback)}</tg-time>`,
    text: fallback,
    plain: fallback,
  };
}

/** Joins the pieces; strings are the service's own words. */
export function join(parts: readonly (RichText | string)[], separator = ''): RichText {
  const pieces = parts.map((part) => (typeof part === 'string' ? words(part) : part));
  return {
    html: pieces.map((piece) => piece.html).join(separator),
    text: pieces.map((piece) => piece.text).join(separator),
    plain: pieces.map((piece) => piece.plain).join(separator),
  };
}

/** Tagged template: the literal parts are the service's own words, inserted strings are shown as code. */
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
