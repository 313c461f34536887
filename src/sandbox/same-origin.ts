import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';

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

function hostName(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : null;
}
