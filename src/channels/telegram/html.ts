import type { RichText, Span } from '../../cards/rich-text';

/**
 * Writes the text for the parse mode HTML; the Bot API holds exactly `text` after parsing.
 *
 * @param times false for a server that does not know relative times: writes their fallback.
 */
export function renderHtml({ spans }: Pick<RichText, 'spans'>, times = true): string {
  return spans.map((span) => renderSpan(span, times)).join('');
}

function renderSpan(span: Span, times: boolean): string {
  const inner = escapeHtml(span.text);
  switch (span.kind) {
    case 'words':
      return inner;
    case 'bold':
      return `<b>${inner}</b>`;
    case 'code':
      return `<code>${inner}</code>`;
    case 'pre':
      return span.language === undefined
        ? `<pre>${inner}</pre>`
        : `<pre><code class="language-${span.language}">${inner}</code></pre>`;
    case 'time':
      return times ? `<tg-time unix="${span.unixSeconds}" format="r">${inner}</tg-time>` : inner;
  }
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
