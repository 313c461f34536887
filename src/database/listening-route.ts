import { Client } from 'pg';
import { isPooled, isSameDatabase } from './session';

const CONNECT_TIMEOUT_MS = 5_000;

/** `pooled`: LISTEN does not pass. `elsewhere`: the two addresses lead to different databases. */
export type ListeningRoute = 'direct' | 'pooled' | 'elsewhere';

/** Connects to both addresses. Rejects with the error of a connection that fails. */
export async function findListeningRoute(listenUrl: string, url: string): Promise<ListeningRoute> {
  const [listener, other] = [listenUrl, url].map((connectionString) => {
    const client = new Client({
      connectionString,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: CONNECT_TIMEOUT_MS,
    });
    return client.on('error', () => undefined);
  }) as [Client, Client];
  try {
    await listener.connect();
    await other.connect();
    if (!(await isSameDatabase(listener, other))) return 'elsewhere';
    return (await isPooled(listener)) ? 'pooled' : 'direct';
  } finally {
    await Promise.allSettled([listener.end(), other.end()]);
  }
}
