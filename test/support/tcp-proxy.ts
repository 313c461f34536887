import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A wire between the service and PostgreSQL that can be cut, frozen and mended. */
export interface TcpProxy {
  /** The database's address by way of the proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  /** Keeps every connection open and lets nothing through, in either direction. */
  freeze(): void;
  /** New connections work again; the cut and frozen ones stay dead. */
  mend(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let broken = false;

  const server = createServer((near) => {
    if (broken) return void near.destroy();
    const far = connect(Number(target.port || 5432), target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const address = new URL(databaseUrl);
  address.hostname = '127.0.0.1';
  address.port = String((server.address() as AddressInfo).port);
  const dropAll = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: address.href,
    cut: () => {
      broken = true;
      dropAll();
    },
    freeze: () =>
      sockets.forEach((socket) => {
        socket.unpipe();
        socket.pause();
      }),
    mend: () => {
      broken = false;
    },
    close: async () => {
      dropAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
