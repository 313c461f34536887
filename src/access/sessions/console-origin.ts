import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config/environment';
import { isLoopback } from '../../config/listening';

/**
 * Sent by the console's own page with every call: a form or a link of another page cannot send it. With a session it has the
 * secret that the page got at the sign-in. The cookie alone proves nothing without HTTPS: browsers send it to every port of
 * a host, and whoever has it can forge an origin.
 */
export const CONSOLE_HEADER = 'x-countersign-console';

type Headers = Pick<FastifyRequest, 'headers'>;

/**
 * The origin of the console as the caller addresses it: `CONSOLE_URL`, or a name of this machine. Null for every other
 * `Host`: a web page may have pointed its own name here (DNS rebinding).
 */
export function consoleOriginOf(
  { headers: { host = '' } }: Headers,
  { console, http }: Config,
): string | null {
  if (console === null) return null;
  if (console.url !== null && new URL(console.url).host === host.toLowerCase()) return console.url;
  const address = `http://${host}`;
  if (!http.loopback || !/^(\[::1\]|[\w.-]+)(:\d+)?$/.test(host) || !URL.canParse(address)) return null;
  const { hostname, origin } = new URL(address);
  return isLoopback(hostname.replace(/^\[|\]$/g, '')) ? origin : null;
}

/** True if the console's own page sends the request. Every browser names the sender's origin, or its relation to us. */
export function isSentByConsole({ headers }: Headers, origin: string): boolean {
  if (headers[CONSOLE_HEADER] === undefined) return false;
  return headers.origin === undefined
    ? headers['sec-fetch-site'] === 'same-origin'
    : headers.origin === origin;
}

export const isSecure = (origin: string): boolean => origin.startsWith('https:');
