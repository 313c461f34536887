import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';

/**
 * True unless a web page from elsewhere sends the request: the sandbox has no keys, so a page the person happens to
 * visit must not be able to tap Approve for them, neither across origins nor under a name of its own that it points
 * at this machine.
 */
export function comesFromHere(request: FastifyRequest): boolean {
  const { origin, host } = request.headers;
  const here = hostName(`http://${host ?? ''}`);
  const isPublicName = here === null || (here.includes('.') && isIP(here) === 0);
  if (isPublicName) return false;
  return origin === undefined || origin === `http://${host ?? ''}`;
}

function hostName(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : null;
}
