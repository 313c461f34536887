import type { CodeLanguage } from './code-language';

/** Precedes every line of a block in a message without formats. */
const PLAIN_MARK = '│ ';

/** A run of text with one meaning; each channel gives it its own form. */
export type Span =
  | { readonly kind: 'words' | 'bold' | 'code'; readonly text: string }
  | { readonly kind: 'pre'; readonly text: string; readonly language?: CodeLanguage | undefined }
  /** A moment that a channel may show relative to now; `text` if it cannot. */
  | { readonly kind: 'time'; readonly text: string; readonly unixSeconds: number }
  /** A person whom a channel may notify; `account`: as the channel knows them. */
  | { readonly kind: 'person'; readonly text: string; readonly account: string }
  /** Lines that a channel may show folded, and unfold for a reader who wants them; they contain no other fold. */
  | { readonly kind: 'fold'; readonly text: string; readonly spans: readonly Span[] };

/**
 * A piece of a message: `spans` with their meanings, and `text` exactly as a person reads it. `plain` is for a channel
 * that accepts no formats: marks keep any line of an action from imitating one of the card. With these marks it can
 * exceed the limit of a message.
 */
export interface RichText {
  readonly spans: readonly Span[];
  readonly text: string;
  readonly plain: string;
}

/**
 * The service's own words. Put text from outside into `code` or `pre`: only there no channel turns it into links,
 * mentions or commands.
 */
export function words(text: string): RichText {
  return { spans: [{ kind: 'words', text }], text, plain: text };
}

export function bold(text: string): RichText {
  return { spans: [{ kind: 'bold', text }], text, plain: text };
}

export function code(text: string): RichText {
  return { spans: [{ kind: 'code', text }], text, plain: marked(text) };
}

export function pre(text: string, language?: CodeLanguage): RichText {
  return { spans: [{ kind: 'pre', text, language }], text, plain: PLAIN_MARK + marked(text) };
}

/** The name of a person, whom the channel notifies if the person has an account there. */
export function mention(name: string, account: string | null): RichText {
  if (account === null) return words(name);
  return { spans: [{ kind: 'person', text: name, account }], text: name, plain: name };
}

/** A moment that clients show relative to their clock and keep up to date; `fallback` if they cannot. */
export function relativeTime(moment: Date, fallback: string): RichText {
  const unixSeconds = Math.floor(moment.getTime() / 1000);
  return { spans: [{ kind: 'time', text: fallback, unixSeconds }], text: fallback, plain: fallback };
}

/** Whole lines that a reader has to unfold. Everything in them still counts as shown. A fold in a fold dissolves. */
export function fold(inner: RichText): RichText {
  const spans = inner.spans.flatMap((span) => (span.kind === 'fold' ? span.spans : [span]));
  return { ...inner, spans: [{ kind: 'fold', text: inner.text, spans }] };
}

/** Joins the pieces; strings are the service's own words. */
export function join(parts: readonly (RichText | string)[], separator = ''): RichText {
  const pieces = parts.map((part) => (typeof part === 'string' ? words(part) : part));
  const between = separator === '' ? [] : words(separator).spans;
  return {
    spans: pieces.flatMap((piece, i) => (i === 0 ? piece.spans : [...between, ...piece.spans])),
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
