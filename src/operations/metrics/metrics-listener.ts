import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Registry } from 'prom-client';
import { CONFIG, type Config } from '../../config/environment';
import { beginInTurn } from '../../http/in-turn';
import { describeError } from '../../kernel/describe-error';
import { Log } from '../../logging/log';

/** Timeouts of a scrape, so that idle connections keep no socket. */
const REQUEST_TIMEOUT_MS = 5_000;
const SOCKET_TIMEOUT_MS = 30_000;
const MAX_CONNECTIONS = 64;

/** Serves only `/metrics`, on `METRICS_HOST` and `METRICS_PORT`, if they are set. It needs no key. */
@Injectable()
export class MetricsListener implements OnApplicationBootstrap, OnApplicationShutdown {
  private server: Server | null = null;

  constructor(
    private readonly registry: Registry,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws Error naming the variables when the address is not available. */
  async onApplicationBootstrap(): Promise<void> {
    const { listener } = this.config.metrics;
    if (listener === null) return;
    const { host, port } = listener;
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => beginInTurn(request, response, () => void this.answer(request, response)),
    );
    server.timeout = SOCKET_TIMEOUT_MS;
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error(`cannot listen on METRICS_HOST ${host}, METRICS_PORT ${port}`, { cause })),
      );
      server.listen(port, host, resolve);
    });
    this.server = server;
    const { port: bound } = server.address() as AddressInfo;
    this.log.event(
      'info',
      'metrics.listening',
      { host, port: bound },
      'metrics have a listener of their own',
    );
  }

  /** Runs after the last answers of the main port, so that a last scrape includes them. */
  async onApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (!server) return;
    await new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    });
  }

  private async answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const reads = method === 'GET' || method === 'HEAD';
    if (!reads || url.split('?')[0] !== '/metrics') return void response.writeHead(404).end();
    try {
      const text = await this.registry.metrics();
      response.writeHead(200, { 'content-type': this.registry.contentType }).end(text);
    } catch (error) {
      this.log.event('error', 'metrics.failed', { error: describeError(error) }, 'a scrape failed');
      response.writeHead(500).end();
    }
  }
}
