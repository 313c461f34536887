import { Client } from 'pg';
import { isPooled, isSameDatabase } from '../../../database/session';
import { error, seen, skipped, warning, type Check, type Observation } from '../check';

const CONNECT_TIMEOUT_MS = 5_000;

/** Checks that decisions on other replicas are heard at once: LISTEN needs a connection without a pooler. */
export const listeningCheck: Check = {
  name: 'listening',
  async examine({ config: { database }, reached }) {
    const { url, listenUrl } = database;
    if (reached.database === null) return skipped('needs the database');
    if (url === null) return seen('on the embedded database');
    const clients = [listenUrl ?? url, url].map(
      (connectionString) => new Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS }),
    );
    for (const client of clients) client.on('error', () => undefined);
    try {
      const [listener, other] = clients as [Client, Client];
      await listener.connect();
      await other.connect();
      return await judge(listener, other, listenUrl !== null);
    } finally {
      await Promise.allSettled(clients.map((client) => client.end()));
    }
  },
};

async function judge(listener: Client, other: Client, isOwn: boolean): Promise<Observation> {
  const note = isOwn ? 'on DATABASE_LISTEN_URL' : 'on DATABASE_URL';
  if (!(await isSameDatabase(listener, other))) {
    const message = 'DATABASE_LISTEN_URL leads to another database than DATABASE_URL';
    return seen(note, error(message, 'let it name the server behind the pooler, and the same database'));
  }
  if (await isPooled(listener)) {
    const message = 'a pooler stands before PostgreSQL: a decision on another replica is heard within 5 s';
    return seen(note, warning(message, 'set DATABASE_LISTEN_URL to PostgreSQL itself'));
  }
  return seen(note);
}
