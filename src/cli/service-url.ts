import { isIPv6 } from 'node:net';

/** Loopback for each address that means "all": a client cannot call such an address itself. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** URL of a service with this `HOST` and `PORT`, for callers on the same machine. */
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
