import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';

/** Values of `Sec-Fetch-Site` for a request of our own page, and for an address that the person typed. */
const OWN_SITES: ReadonlySet<string> = new Set(['same-origin', 'none']);

/**
 * True unless a web page of another origin sends the request. The sandbox has no API keys, so a page that the person
 * visits must not be able to tap Approve for them: neither across origins nor with a host name that points to this
 * machine (DNS rebinding).
 */
export function comesFromHere(request: FastifyRequest): boolean {
  const { origin, host } = request.headers;
  const here = hostName(`http://${host ?? ''}`);
  const isPublicName = here === null || (here.includes('.') && isIP(here) === 0);
  if (isPublicName) return false;
  return origin === undefined || origin === `http://${host ?? ''}`;
}

/**
 * The same for a call of the Bot API, whose methods change something with GET too. Another page could load an address as
 * an image, which sends no `Origin`, and so write under a card, or have the taps sent elsewhere.
 */
export function calledFromHere(request: FastifyRequest): boolean {
  const { 'sec-fetch-site': site } = request.headers;
  return comesFromHere(request) && (site === undefined || OWN_SITES.has(site));
}

function hostName(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : null;
}
