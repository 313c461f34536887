import type { RichText, Span } from '../../cards/rich-text';

/** Formats that an older Bot API server may not know. */
export interface Formats {
  /** Times that clients show relative to now (`<tg-time>`); otherwise their fallback is written. */
  readonly times: boolean;
  /** Quotes that clients fold (`<blockquote expandable>`); otherwise their lines are written as they are. */
  readonly folds: boolean;
}

/** Writes the text for the parse mode HTML; the Bot API holds exactly `text` after parsing, in any format. */
export function renderHtml(
  { spans }: Pick<RichText, 'spans'>,
  formats: Formats = { times: true, folds: true },
): string {
  return spans.map((span) => renderSpan(span, formats)).join('');
}

function renderSpan(span: Span, formats: Formats): string {
  if (span.kind === 'fold') {
    const lines = renderHtml(span, formats);
    return formats.folds ? `<blockquote expandable>${lines}</blockquote>` : lines;
  }
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
    case 'person':
      return `<a href="tg://user?id=${span.account}">${inner}</a>`;
    case 'time':
      return formats.times ? `<tg-time unix="${span.unixSeconds}" format="r">${inner}</tg-time>` : inner;
  }
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
