import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A wire between the service and PostgreSQL that can be cut, frozen, slowed down and mended. */
export interface TcpProxy {
  /** The database's address by way of the proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  /**
   * Keeps connections open and lets nothing through, in either direction: all, or the one that the database sees
   * coming from this port.
   */
  freeze(clientPort?: number): void;
  /** As a server that was stopped with SIGSTOP: connections are kept and accepted, and nothing is answered. */
  silence(): void;
  /** Everything takes this much longer on its way, in each direction; 0: no longer than it does. */
  slow(delayMs: number): void;
  /** New connections work again; the cut and frozen ones stay dead. */
  mend(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const pairs = new Set<{ near: Socket; far: Socket }>();
  const unanswered = new Set<Socket>();
  let broken = false;
  let silent = false;
  let delayMs = 0;
  /** The bytes on the wire; they keep their order when it slows down or recovers. */
  const wire = () =>
    new Transform({
      transform: (chunk: Buffer, _encoding, passed) => {
        if (delayMs === 0) passed(null, chunk);
        else setTimeout(passed, delayMs, null, chunk);
      },
    });

  const server = createServer((near) => {
    if (broken) return void near.destroy();
    if (silent) return void unanswered.add(near.on('error', () => undefined).pause());
    const far = connect(Number(target.port || 5432), target.hostname);
    const pair = { near, far };
    pairs.add(pair);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
      one.pipe(wire()).pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const address = new URL(databaseUrl);
  address.hostname = '127.0.0.1';
  address.port = String((server.address() as AddressInfo).port);
  const dropAll = () => {
    for (const socket of unanswered) socket.destroy();
    unanswered.clear();
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  const freeze = (clientPort?: number) => {
    for (const { near, far } of pairs) {
      if (clientPort !== undefined && far.localPort !== clientPort) continue;
      for (const socket of [near, far]) socket.unpipe().pause();
    }
  };
  return {
    url: address.href,
    cut: () => {
      broken = true;
      dropAll();
    },
    freeze,
    silence: () => {
      silent = true;
      freeze();
    },
    slow: (ms) => {
      delayMs = ms;
    },
    mend: () => {
      broken = false;
      silent = false;
    },
    close: async () => {
      dropAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
