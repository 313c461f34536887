import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { integer, section, setting, type ValuesOf } from './setting';

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

const publicHosts = z.string().transform((value, context): readonly string[] => {
  const names = value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  for (const name of names) {
    if (!HOST_NAME.test(name) && !isIPv6(name))
      context.addIssue(`"${name}" is not a host name; give names without scheme, port and path`);
  }
  return names;
});

export const LISTENING = section('Listening', {
  HOST: setting('Address to listen on. Beyond loopback there must be a key', z.string().default('127.0.0.1')),
  PORT: integer('Port to listen on; 0 takes a free one', 0, 65_535, 3000),
  HTTP_BODY_LIMIT_KIB: integer(
    'Largest body of enqueue, hook, MCP and policy documents, up to 16384. Other routes, and callers without a valid key, take 256 KiB. ' +
      'All bodies that are open together take 64 MiB, half of it for one key; more get 503 with `Retry-After`, on the ' +
      'hook a denial. A body counts until its request is stored',
    64,
    16_384,
    4096,
  ),
  HTTP_MAX_WAITING_PER_KEY: integer(
    'Waits, event streams and connector calls that one key holds open on one replica; more get 429. All keys together ' +
      'hold three quarters of the connections',
    1,
    1_000_000,
    1000,
  ),
  PUBLIC_HOSTS: setting(
    'Comma list of the names by which the service is called, without ports. A call with another `Host` and without a ' +
      'valid key gets 421, since a web page can point its own name here (DNS rebinding); a hook call gets a denial. ' +
      'Loopback names, `HOST`, the host of `TELEGRAM_WEBHOOK_URL`, health probes and the public keys are always served. ' +
      'Unset: with a loopback `HOST` nothing else, with another `HOST` any name',
    publicHosts.optional(),
  ),
  SHUTDOWN_NOTICE_SECONDS: integer(
    'Seconds for which it serves on after SIGTERM, with `/health/ready` at 503, so that a proxy notices',
    0,
    300,
    0,
  ),
});

/** True if the name or address reaches only this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

export const listeningOf = (env: ValuesOf<typeof LISTENING>) => ({
  http: {
    host: env.HOST,
    port: env.PORT,
    publicHosts: env.PUBLIC_HOSTS ?? null,
    loopback: isLoopback(env.HOST),
    bodyLimitBytes: env.HTTP_BODY_LIMIT_KIB * 1024,
    maxWaitingPerKey: env.HTTP_MAX_WAITING_PER_KEY,
  },
  shutdown: { noticeSeconds: env.SHUTDOWN_NOTICE_SECONDS },
});
