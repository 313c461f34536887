/**
 * Escapes text for a PostgreSQL column, which cannot hold U+0000: the inside of a JSON string. Injective. Text without
 * quotes, backslashes and control characters stays as it is.
 */
export function toColumnText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

export function parseColumnText(text: string): string {
  return JSON.parse(`"${text}"`) as string;
}
