/** Longest life of a session; the database ends it by its own clock. */
const MAX_AGE_SECONDS = 12 * 60 * 60;

const TOKEN = /^[\w-]{43}$/;

/** With the prefix, browsers accept the cookie only from this very host and over HTTPS. */
const nameOf = (isSecure: boolean): string => (isSecure ? '__Host-countersign' : 'countersign');

/** The session's token in a `Cookie` header; null if there is none. */
export function readSessionCookie(header: string | undefined, isSecure: boolean): string | null {
  const prefix = `${nameOf(isSecure)}=`;
  const pair = header?.split(/; */).find((each) => each.startsWith(prefix));
  const token = pair?.slice(prefix.length);
  return token !== undefined && TOKEN.test(token) ? token : null;
}

/** A `Set-Cookie` header with the token; without one it removes the cookie. */
export function writeSessionCookie(token: string | null, isSecure: boolean): string {
  const age = token === null ? 0 : MAX_AGE_SECONDS;
  const attributes = [
    'HttpOnly',
    'SameSite=Strict',
    'Path=/',
    `Max-Age=${age}`,
    ...(isSecure ? ['Secure'] : []),
  ];
  return [`${nameOf(isSecure)}=${token ?? ''}`, ...attributes].join('; ');
}
