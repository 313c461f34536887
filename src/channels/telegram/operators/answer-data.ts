/** More cannot be named by one character. */
const RADIX = 36;
const NONCE = '[A-Za-z0-9_-]{22}';
const OPTION_FORMAT = new RegExp(`^1:o([0-9a-z]):(${NONCE})$`);
const SHEET_FORMAT = new RegExp(`^1:([jqz]):(${NONCE}):((?:[0-9a-z]{1,3}\\.){0,5}[0-9a-z]{1,3})$`);

/**
 * A button that answers a question, bound to the nonce of its card. The choices of a sheet are in the data of its buttons: a
 * bit for each option, a number for each question. So no replica stores them, and a tap means what its message shows.
 */
export type AnswerTap =
  /** The only answer to the only question. */
  | { readonly kind: 'option'; readonly nonce: string; readonly option: number }
  /** `open` makes a sheet below the card, `choose` shows it with these choices, `send` sends them. */
  | { readonly kind: 'open' | 'choose' | 'send'; readonly nonce: string; readonly chosen: readonly number[] };

const LETTER = { open: 'j', choose: 'q', send: 'z' } as const;
const KINDS = { j: 'open', q: 'choose', z: 'send' } as const;

export function answerCallbackData(tap: AnswerTap): string {
  if (tap.kind === 'option') return `1:o${tap.option.toString(RADIX)}:${tap.nonce}`;
  return `1:${LETTER[tap.kind]}:${tap.nonce}:${tap.chosen.map((bits) => bits.toString(RADIX)).join('.')}`;
}

/** Parses the data of a button that answers; null for other data. */
export function parseAnswerTap(data: string): AnswerTap | null {
  const [, option, ofCard] = OPTION_FORMAT.exec(data) ?? [];
  if (option !== undefined && ofCard !== undefined)
    return { kind: 'option', nonce: ofCard, option: parseInt(option, RADIX) };
  const [, letter, nonce, chosen] = SHEET_FORMAT.exec(data) ?? [];
  if (nonce === undefined || chosen === undefined) return null;
  const kind = KINDS[letter as keyof typeof KINDS];
  return { kind, nonce, chosen: chosen.split('.').map((bits) => parseInt(bits, RADIX)) };
}
