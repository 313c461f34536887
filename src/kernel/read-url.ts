/** Longest authority that is parsed: a name of 253 characters, each percent-encoded, with a user and a port. */
const MAX_AUTHORITY = 1024;

/**
 * Parses a URL; null if it is not one. The parser takes time quadratic in the length of a host, so that one longer than any
 * name is not a URL here.
 */
export function readUrl(text: string): URL | null {
  // The parser ignores these characters wherever they stand.
  const [, authority = ''] =
    /^[\0-\x20]*[a-z][a-z0-9+.-]*:[/\\]*([^/\\?#]*)/i.exec(text.replace(/[\t\n\r]/g, '')) ?? [];
  return authority.length <= MAX_AUTHORITY && URL.canParse(text) ? new URL(text) : null;
}
