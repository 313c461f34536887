import {
  Server,
  type IncomingMessage,
  type RequestListener,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { lookup } from 'node:dns/promises';
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';
import type { Config } from '../config/environment';
import { MAX_CONNECTIONS } from './connection-limit';

/**
 * Connections that wait while the process is busy. At Node's default of 511 the system answers the rest of a crowd with
 * SYN cookies and then forgets them: a caller believes it is connected and is never accepted. The system caps this
 * number (`net.core.somaxconn`, 4096 on Linux).
 */
const BACKLOG = MAX_CONNECTIONS;

/** Limits for the server that a front door opens; the application sets its other limits in either case. */
export interface DoorLimits {
  readonly options: ServerOptions;
  readonly socketTimeoutMs: number;
}

/**
 * Serves requests with an unknown `Expect` as if it was absent, which HTTP allows. Node would answer with an empty 417,
 * which is neither a problem document nor a denial.
 */
export function serveAnyExpectation(server: Server): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
}

/**
 * A server that already listens. When the application calls `listen`, it takes over the answers. It also serves the
 * connections of further addresses, so that all have the same limits and handlers.
 */
class DoorServer extends Server {
  private readonly others: NetServer[] = [];

  constructor(
    options: ServerOptions,
    handler: RequestListener,
    private readonly admit: () => void,
  ) {
    super(options, handler);
  }

  override listen(...given: unknown[]): this {
    if (!this.listening) return super.listen(...(given as Parameters<Server['listen']>));
    this.admit();
    for (const other of this.others) other.maxConnections = this.maxConnections;
    setImmediate(() => this.emit('listening'));
    return this;
  }

  /** Listens on a further address of the same host. Ignores one that this machine does not have. */
  async listenToo(host: string, port: number): Promise<void> {
    const other = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.emit('connection', socket),
    );
    other.on('drop', (dropped) => this.emit('drop', dropped));
    await new Promise<void>((done) => {
      other.once('error', () => done());
      other.listen({ port, host, backlog: BACKLOG }, () => {
        this.others.push(other);
        done();
      });
    });
  }

  override close(closed?: (error?: Error) => void): this {
    const others = this.others.map((other) => new Promise<void>((done) => other.close(() => done())));
    return super.close((error) => void Promise.all(others).then(() => closed?.(error)));
  }
}

/** The addresses to listen on: all that `localhost` has, else the host as it is. */
async function addressesOf(host: string): Promise<readonly string[]> {
  if (host !== 'localhost') return [host];
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/**
 * Listens on `HOST` and `PORT` while the application starts, which can take as long as another process migrates. No
 * connection is refused during the handover.
 */
export class FrontDoor {
  private answer: RequestListener;
  private application: RequestListener | null = null;
  private readonly server: DoorServer;

  private constructor({ options, socketTimeoutMs }: DoorLimits, starting: RequestListener) {
    this.answer = starting;
    this.server = new DoorServer(
      options,
      (request: IncomingMessage, response: ServerResponse) => this.answer(request, response),
      () => (this.answer = this.application ?? this.answer),
    );
    this.server.setTimeout(socketTimeoutMs);
    serveAnyExpectation(this.server);
  }

  /**
   * @param starting answers until the application takes over
   * @throws Error naming the variables when the address is not available.
   */
  static async open(
    { host, port }: Config['http'],
    limits: DoorLimits,
    starting: RequestListener,
  ): Promise<FrontDoor> {
    const door = new FrontDoor(limits, starting);
    const [first = host, ...others] = await addressesOf(host);
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: Error) =>
        reject(new Error(`cannot listen on HOST ${host}, PORT ${port}`, { cause }));
      door.server.once('error', fail);
      door.server.listen({ port, host: first, backlog: BACKLOG }, () => {
        door.server.off('error', fail);
        resolve();
      });
    });
    const { port: bound } = door.server.address() as AddressInfo;
    for (const other of others) await door.server.listenToo(other, bound);
    return door;
  }

  /** For Fastify. @returns the server, which passes requests to this handler once the application calls `listen`. */
  handTo(application: RequestListener): Server {
    this.application = application;
    return this.server;
  }

  /** Does nothing if the application has closed the server. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    await new Promise((closed) => {
      this.server.close(closed);
      this.server.closeAllConnections();
    });
  }
}
