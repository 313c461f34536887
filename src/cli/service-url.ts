import { isIPv6 } from 'node:net';

/** Listening on every address is listening on loopback too, and nobody can call an address that means "all". */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Where a service with this `HOST` and `PORT` is called from its own machine. */
export function serviceUrl({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number | string;
}): string {
  const called = LOOPBACK_OF[host] ?? host;
  return `http://${isIPv6(called) ? `[${called}]` : called}:${port}`;
}
