import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { KeyRing } from './key-ring';
import { CONFIG, type Config } from '../config/environment';
import { isLoopback } from '../config/listening';
import { abbreviate } from '../kernel/cut-text';
import { DomainError } from '../kernel/errors';
import { presentedKey } from './access.guard';
import { problemOf, sendProblem } from '../http/problem';

/** Routes without the check: orchestrators probe by address, and anybody with a receipt may need the public keys. */
const UNCHECKED_ROUTES: ReadonlySet<string> = new Set([
  '/health',
  '/health/live',
  '/health/ready',
  '/.well-known/jwks.json',
]);

const MAX_NAME_LENGTH = 253;

/** `host[:port]`. A URL takes more: it finds the name in `evil@127.0.0.1` and in `127.0.0.1#.evil`. */
const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d*)?$/i;

/** The host name of a `Host` header, without port, brackets and final dot; null if it is invalid. */
function nameIn(host: string): string | null {
  const url = `http://${host}`;
  return HOST.test(host) && URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$|\.$/g, '') : null;
}

function hostsOf({ http, telegram, console }: Config): ReadonlySet<string> | null {
  if (http.publicHosts === null && !http.loopback) return null;
  const webhook = telegram?.webhook ? [nameIn(new URL(telegram.webhook.url).host)] : [];
  const url = console?.url ?? null;
  const page = url === null ? [] : [nameIn(new URL(url).host)];
  return new Set(
    [http.host, ...(http.publicHosts ?? []), ...webhook, ...page].filter((name) => name !== null),
  );
}

/**
 * Refuses calls with a foreign `Host` and without a valid key. A web page can point its own name at this machine (DNS
 * rebinding), and its browser then reads answers that need no key. Such a call has the page's name in `Host`.
 */
@Injectable()
export class HostCheck {
  /** Null: any name. */
  private readonly served: ReadonlySet<string> | null;
  /** The last accepted `Host`: most requests repeat it, and parsing a name costs more than the rest of the check. */
  private lastServed: string | null = null;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly keys: KeyRing,
    @Inject(CONFIG) config: Config,
  ) {
    this.served = hostsOf(config);
  }

  /** Call it before routes are registered. */
  attach(): void {
    if (this.served === null) return;
    this.host.httpAdapter.getInstance<FastifyInstance>().addHook('onRequest', (request, reply, done) => {
      const proceed = (admitted: boolean) => {
        if (admitted) done();
        else sendProblem(reply, problemOf(this.refusalOf(request)));
      };
      const admitted = this.isServed(request) || this.hasKey(request);
      if (admitted instanceof Promise) void admitted.then(proceed);
      else proceed(admitted);
    });
  }

  /** Admits a key that cannot be verified now: the guard refuses it. */
  private hasKey(request: FastifyRequest): boolean | Promise<boolean> {
    const key = presentedKey(request);
    const identity = key === null ? null : this.keys.identify(key);
    return identity instanceof Promise
      ? identity.then(
          (found) => found !== null,
          () => true,
        )
      : identity !== null;
  }

  /** True if the `Host` is one of ours or absent; every browser sends one. */
  private isServed(request: FastifyRequest): boolean {
    const { host } = request.headers;
    if (host === undefined || host === this.lastServed) return true;
    const { url } = request.routeOptions;
    if (url !== undefined && UNCHECKED_ROUTES.has(url)) return true;
    const name = nameIn(host);
    if (name === null || !(isLoopback(name) || this.served?.has(name))) return false;
    this.lastServed = host;
    return true;
  }

  private refusalOf({ headers: { host = '' } }: FastifyRequest): DomainError {
    const name = nameIn(host);
    const quoted = JSON.stringify(abbreviate(name ?? host, MAX_NAME_LENGTH));
    const advice =
      name === null
        ? 'Send a name or an address, with a port if it needs one.'
        : 'Add the name to PUBLIC_HOSTS if the service is called so.';
    return new DomainError(
      'request.misdirected',
      `Without a valid key, this service does not answer to the Host ${quoted}. ${advice}`,
    );
  }
}
