import { excerpt } from './excerpt';
import { code, join, type RichText } from './rich-text';

/** Visible text as code, with at most `limit` units; the middle is omitted, and counted outside the code. */
export function shorten(visible: string, limit: number): RichText {
  if (visible.length <= limit) return code(visible);
  const { head, tail, leftOut } = excerpt(visible, limit);
  return join([code(head), ` … ${leftOut} characters left out … `, code(tail)]);
}
