import {
  Server,
  type IncomingMessage,
  type RequestListener,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Config } from '../config/environment';

/** For the server that a front door opens; the application's other limits do not depend on who answers. */
export interface DoorLimits {
  readonly options: ServerOptions;
  readonly socketTimeoutMs: number;
}

/** The application makes a server listen that listens already: from then on, the application answers. */
class DoorServer extends Server {
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
    setImmediate(() => this.emit('listening'));
    return this;
  }
}

/**
 * Listens on `HOST` and `PORT` while the application is still being made, which can take as long as another process
 * migrates. No connection is refused between the two.
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
  }

  /**
   * @param starting answers until the application does
   * @returns null for `localhost`, which is two addresses: the application listens on both by itself
   * @throws Error naming the variables when the address cannot be had.
   */
  static async open(
    { host, port }: Config['http'],
    limits: DoorLimits,
    starting: RequestListener,
  ): Promise<FrontDoor | null> {
    if (host === 'localhost') return null;
    const door = new FrontDoor(limits, starting);
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: Error) =>
        reject(new Error(`cannot listen on HOST ${host}, PORT ${port}`, { cause }));
      door.server.once('error', fail);
      door.server.listen(port, host, () => {
        door.server.off('error', fail);
        resolve();
      });
    });
    return door;
  }

  /** For Fastify. @returns the server, which gives requests to this handler once it is made to listen. */
  handTo(application: RequestListener): Server {
    this.application = application;
    return this.server;
  }

  /** Does nothing where the application has closed the server. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    await new Promise((closed) => {
      this.server.close(closed);
      this.server.closeAllConnections();
    });
  }
}
