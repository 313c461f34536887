import {
  Agent,
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/** As often as a replica is asked whether it is ready; the notice of a replica that leaves must be longer. */
const CHECK_MS = 100;

/** One address before several replicas, by the rules of deploy/haproxy/haproxy.cfg. */
export interface Balancer {
  readonly url: string;
  /** Requests passed to the replica at this address, over all its restarts. */
  given(replica: string): number;
  close(): Promise<void>;
}

interface Replica {
  readonly url: string;
  ready: boolean;
  given: number;
}

/** As HAProxy's check: whoever does not answer with 200 gets nothing new. */
async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3_000) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

/** Removes the headers of one connection, which a proxy must not pass on. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'connection'));
}

/** Requests go round over the replicas that say they are ready; no request is sent twice, unless nobody took it. */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  const replicas: Replica[] = urls.map((url) => ({ url, ready: false, given: 0 }));
  const check = async (): Promise<void> => {
    await Promise.all(replicas.map(async (replica) => void (replica.ready = await isReady(replica.url))));
  };
  await check();
  let checking = Promise.resolve();
  const timer = setInterval(() => {
    checking = checking.then(check);
  }, CHECK_MS);

  let turn = 0;
  const next = (refused: ReadonlySet<Replica>): Replica | undefined => {
    const able = replicas.filter((replica) => replica.ready && !refused.has(replica));
    return able[turn++ % able.length];
  };
  // A connection to a replica carries one request: none can be sent into one that is just being closed.
  const oneRequestEach = new Agent({ keepAlive: false });

  function give(asked: IncomingMessage, answer: ServerResponse, refused: ReadonlySet<Replica>): void {
    const replica = next(refused);
    if (!replica) return void answer.writeHead(503, { 'x-balancer': 'nobody is ready' }).end();
    const { hostname, port } = new URL(replica.url);
    const { method, url: path } = asked;
    const headers = endToEnd(asked.headers);
    const passedOn = request({ agent: oneRequestEach, hostname, port, method, path, headers });
    passedOn.on('socket', (socket) => {
      socket.once('connect', () => {
        replica.given++;
        pipeline(asked, passedOn, () => undefined);
      });
    });
    passedOn.on('response', (told) => {
      answer.writeHead(told.statusCode ?? 502, endToEnd(told.headers));
      pipeline(told, answer, (error) => {
        if (error) answer.destroy();
      });
    });
    passedOn.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') give(asked, answer, new Set([...refused, replica]));
      else if (answer.headersSent) answer.destroy();
      else answer.writeHead(502, { 'x-balancer': error.code ?? error.message }).end();
    });
    answer.on('close', () => passedOn.destroy());
  }

  const server = createServer({ keepAliveTimeout: 75_000 }, (asked, answer) =>
    give(asked, answer, new Set()),
  );
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    given: (url) => replicas.find((replica) => replica.url === url)?.given ?? 0,
    close: async () => {
      clearInterval(timer);
      await checking;
      oneRequestEach.destroy();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
