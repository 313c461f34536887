import type { Button, MessageText } from '../escalation/operator-chat';
import { MAX_MESSAGE_LENGTH } from '../escalation/rich-text';

/** The ways to write a message, from all that the Bot API knows down to plain text. */
export interface Form {
  readonly html: boolean;
  /** Times that clients show relative to now (`<tg-time>`). */
  readonly times: boolean;
  /** Colours of buttons. */
  readonly styles: boolean;
}

/** More in a row are too narrow for a thumb. */
const BUTTONS_IN_A_ROW = 2;

const TIME = /<tg-time [^>]*>(.*?)<\/tg-time>/gs;

/** The text of a message or the caption of a file. */
export function writeText(field: 'text' | 'caption', { html, plain }: MessageText, form: Form): object {
  if (!form.html) return { [field]: plain };
  return { [field]: form.times ? html : html.replace(TIME, '$1'), parse_mode: 'HTML' };
}

/** A message without formats needs marks instead, and may be too long with them. */
export function fits({ plain }: MessageText, { html }: Form): boolean {
  return html || plain.length <= MAX_MESSAGE_LENGTH;
}

export function writeButtons(buttons: readonly Button[], { styles }: Form): object {
  const keys = buttons.map(({ text, data, style }) => ({
    text,
    callback_data: data,
    ...(style && styles ? { style } : {}),
  }));
  const rows = Math.ceil(keys.length / BUTTONS_IN_A_ROW);
  return {
    inline_keyboard: Array.from({ length: rows }, (_, row) =>
      keys.slice(row * BUTTONS_IN_A_ROW, (row + 1) * BUTTONS_IN_A_ROW),
    ),
  };
}

/**
 * What this Bot API server has shown that it does not know. The process forgets it when it ends, since servers are
 * upgraded. One feature is given up at a time: without its formats a card is harder to read and easier to misread.
 */
export class Dialect {
  private times = true;
  private styles = true;

  get form(): Form {
    return { html: true, times: this.times, styles: this.styles };
  }

  /** @returns the next simpler form after this refusal; null when the form is not what was refused. */
  simplify(form: Form, refusal: string): Form | null {
    if (form.styles && /button style|"style"/i.test(refusal)) {
      this.styles = false;
      return { ...form, styles: false };
    }
    if (!form.html || !refusal.includes("can't parse entities")) return null;
    // A refusal that names no tag may be about this message alone.
    if (!form.times || !refusal.includes('tg-time')) return { ...form, html: false };
    this.times = false;
    return { ...form, times: false };
  }
}
