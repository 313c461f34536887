import type { RichText } from '../../cards/rich-text';
import { renderHtml, type Formats } from './html';
import type { Button } from './operator-chat';

/** Limit of a message, counted here in UTF-16 units; Telegram's own count is never higher. */
export const MAX_MESSAGE_LENGTH = 4096;

/** Features of a message's form, from everything that the Bot API supports down to plain text. */
export interface Form extends Formats {
  readonly html: boolean;
  /** Colours of buttons. */
  readonly styles: boolean;
  /** Buttons that open an address. */
  readonly links: boolean;
}

/** More in a row are too narrow for a thumb. */
const BUTTONS_IN_A_ROW = 2;

/** The text of a message or the caption of a file. */
export function writeText(field: 'text' | 'caption', message: RichText, form: Form): object {
  if (!form.html) return { [field]: message.plain };
  return { [field]: renderHtml(message, form), parse_mode: 'HTML' };
}

/** True if the message fits in this form. Plain text needs marks in place of formats and may be too long. */
export function fits({ plain }: RichText, { html }: Form): boolean {
  return html || plain.length <= MAX_MESSAGE_LENGTH;
}

export function writeButtons(buttons: readonly Button[], { styles, links }: Form): object {
  const rows: object[][] = [];
  const written = links ? buttons : buttons.filter((button) => 'data' in button);
  written.forEach(({ text, style, row, ...button }, nth) => {
    const act = 'data' in button ? { callback_data: button.data } : { url: button.url };
    const key = { text, ...act, ...(style && styles ? { style } : {}) };
    (rows[row ?? Math.floor(nth / BUTTONS_IN_A_ROW)] ??= []).push(key);
  });
  return { inline_keyboard: rows };
}

/**
 * The features that this Bot API server has refused. The process keeps them in memory only, since servers are upgraded.
 * It gives up one feature at a time, because a card without formats is harder to read and easier to misread.
 */
export class Dialect {
  private times = true;
  private folds = true;
  private styles = true;
  private links = true;

  get form(): Form {
    return { html: true, times: this.times, folds: this.folds, styles: this.styles, links: this.links };
  }

  /** @returns the next simpler form after this refusal; null if the refusal does not concern the form. */
  simplify(form: Form, refusal: string): Form | null {
    if (form.styles && /button style|"style"/i.test(refusal)) {
      this.styles = false;
      return { ...form, styles: false };
    }
    // Telegram opens no address that it cannot reach by its own rules; the text of the card has it, too.
    if (form.links && /button_url|button url|url host|http url/i.test(refusal)) {
      this.links = false;
      return { ...form, links: false };
    }
    if (!form.html || !refusal.includes("can't parse entities")) return null;
    if (form.folds && refusal.includes('blockquote')) {
      this.folds = false;
      return { ...form, folds: false };
    }
    if (form.times && refusal.includes('tg-time')) {
      this.times = false;
      return { ...form, times: false };
    }
    // A refusal that names no tag may concern only this message.
    return { ...form, html: false };
  }
}
