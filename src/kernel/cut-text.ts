const PAIR = /^[\ud800-\udbff][\udc00-\udfff]$/;

/** The beginning of a text, in at most `length` UTF-16 units. Splits no surrogate pair. */
export function cutText(text: string, length: number): string {
  const splitsPair = PAIR.test(text.slice(length - 1, length + 1));
  return text.slice(0, splitsPair ? length - 1 : length);
}

/** The text in pieces of at most `length` units. No piece ends within a surrogate pair. */
export function* piecesOf(text: string, length: number): Generator<string> {
  for (let at = 0; at < text.length;) {
    const piece = cutText(text.slice(at, at + length + 1), length);
    yield piece;
    at += piece.length;
  }
}

/** The beginning of the text, with an ellipsis at the end if the text was cut. */
export function abbreviate(text: string, length: number): string {
  return text.length <= length ? text : `${cutText(text, length)}…`;
}
