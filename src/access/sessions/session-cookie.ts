/** Longest life of a session; the database ends it by its own clock. */
const MAX_AGE_SECONDS = 12 * 60 * 60;

const TOKEN = /^[\w-]{43}$/;

/** With the prefix, browsers accept the cookie only from this very host and over HTTPS. */
const nameOf = (cookie: Cookie, isSecure: boolean): string => `${isSecure ? '__Host-' : ''}${cookie.name}`;

interface Cookie {
  readonly name: string;
  readonly maxAgeSeconds: number;
}

/** The session. */
export const SESSION: Cookie = { name: 'countersign', maxAgeSeconds: MAX_AGE_SECONDS };

/**
 * Binds a sign-in at the OpenID provider to the browser that began it. The way back from the provider brings no cookie, since it
 * is `SameSite=Strict`; the page then presents the answer itself, with the cookie.
 */
export const PROVIDER_SIGN_IN: Cookie = { name: 'countersign-sign-in', maxAgeSeconds: 10 * 60 };

/** The token in a `Cookie` header; null if there is none. */
export function readCookie(cookie: Cookie, header: string | undefined, isSecure: boolean): string | null {
  const prefix = `${nameOf(cookie, isSecure)}=`;
  const pair = header?.split(/; */).find((each) => each.startsWith(prefix));
  const token = pair?.slice(prefix.length);
  return token !== undefined && TOKEN.test(token) ? token : null;
}

/** A `Set-Cookie` header with the token; without one it removes the cookie. */
export function writeCookie(cookie: Cookie, token: string | null, isSecure: boolean): string {
  const age = token === null ? 0 : cookie.maxAgeSeconds;
  const attributes = [
    'HttpOnly',
    'SameSite=Strict',
    'Path=/',
    `Max-Age=${age}`,
    ...(isSecure ? ['Secure'] : []),
  ];
  return [`${nameOf(cookie, isSecure)}=${token ?? ''}`, ...attributes].join('; ');
}
