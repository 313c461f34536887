import { createServer, type AddressInfo, type Socket } from 'node:net';
import { DatabaseLocation, locateDatabase } from '../../src/database/database-location';
import { NotificationListener } from '../../src/database/notification-listener';
import { ReplicaPresence } from '../../src/database/replica-presence';
import { parseConfig } from '../../src/config/environment';
import { createLog } from '../../src/logging/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { until } from '../support/until';

const log = createLog({ level: 'fatal', format: 'json' }, { write: () => undefined });

async function listenerAt(url: string): Promise<NotificationListener> {
  const location: DatabaseLocation = await locateDatabase(parseConfig({ DATABASE_URL: url }), log);
  return new NotificationListener(location, new ReplicaPresence(), log);
}

describe('on a database', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
  });
  afterAll(() => database.drop());

  const connections = async () =>
    (
      await database.query(
        `select 1 from pg_stat_activity where datname = current_database() and application_name = 'countersign-listener'`,
      )
    ).length;

  it('hears several channels on one connection, each its own', async () => {
    const listener = await listenerAt(database.url);
    const heard: string[] = [];
    let ready = 0;
    for (const channel of ['first', 'Second "quoted"']) {
      listener.listen(channel, {
        notified: (payload) => heard.push(`${channel}: ${payload}`),
        connected: () => ready++,
      });
    }
    try {
      await until('both are heard', () => ready === 2);
      listener.listen('third', {
        notified: (payload) => heard.push(`third: ${payload}`),
        connected: () => ready++,
      });
      await until('the third is heard', () => ready === 3);
      expect(await connections()).toBe(1);
      await database.query(
        `select pg_notify('first', 'a'), pg_notify('Second "quoted"', 'b'), pg_notify('third', '')`,
      );
      await until('all came', () => heard.length === 3);
      expect(heard.sort()).toEqual(['Second "quoted": b', 'first: a', 'third: ']);
    } finally {
      await listener.beforeApplicationShutdown();
    }
    await until('no connection is left', async () => (await connections()) === 0);
  });

  it('tells after every reconnection that something may have been missed', async () => {
    const listener = await listenerAt(database.url);
    let connected = 0;
    listener.listen('again', { notified: () => undefined, connected: () => connected++ });
    try {
      for (const round of [1, 2, 3]) {
        await until('it is connected', () => connected === round);
        await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name = 'countersign-listener'`,
        );
      }
      await until('it is connected', () => connected === 4);
    } finally {
      await listener.beforeApplicationShutdown();
    }
  });
});

it('stopped while a connection is being made, it leaves none behind', async () => {
  const sockets: Socket[] = [];
  let open = 0;
  const silent = createServer((socket) => {
    sockets.push(socket);
    open++;
    socket
      .resume()
      .on('close', () => open--)
      .on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = silent.address() as AddressInfo;
    const listener = await listenerAt(`postgres://u:p@127.0.0.1:${port}/silent`);
    listener.listen('never', { notified: () => undefined, connected: () => undefined });
    await until('it connects', () => open === 1);
    await listener.beforeApplicationShutdown();
    await until('the connection is closed', () => open === 0, 2000);
    expect(sockets).toHaveLength(1);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  }
});
