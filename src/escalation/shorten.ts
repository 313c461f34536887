import { excerpt } from './excerpt';
import { code, join, type RichText } from './rich-text';

/** Visible text as code; what is beyond `limit` units is left out of the middle, and counted outside the code. */
export function shorten(visible: string, limit: number): RichText {
  if (visible.length <= limit) return code(visible);
  const { head, tail, leftOut } = excerpt(visible, limit);
  return join([code(head), ` … ${leftOut} characters left out … `, code(tail)]);
}
