import { DatabaseError } from 'pg';
import type { DataSource } from 'typeorm';
import { Database } from '../../../src/database/database';

const refusal = (code: string): DatabaseError =>
  Object.assign(new DatabaseError('refused', 7, 'error'), { code });

function databaseOn(connect: () => Promise<unknown>): Database {
  const master = { connect, on: () => undefined, idleCount: 1, waitingCount: 0 };
  return new Database({ driver: { master } } as unknown as DataSource);
}

it.each(['28000', '28P01', '3D000', '55000', 'XX000'])(
  'a server that refuses a connection with SQLSTATE %s is unavailable',
  async (code) => {
    const database = databaseOn(() => Promise.reject(refusal(code)));
    await expect(database.query({ name: 'x', text: 'select 1' }, [])).rejects.toMatchObject({
      code: 'database.unavailable',
      cause: { code },
    });
  },
);

it.each(['53200', '53400', '58030', '25P03', '25P04', '57P04', '57P05'])(
  'a server that ends a statement with SQLSTATE %s is unavailable',
  async (code) => {
    const client = { query: () => Promise.reject(refusal(code)), release: () => undefined };
    const database = databaseOn(() => Promise.resolve(client));
    await expect(database.query({ name: 'x', text: 'select 1' }, [])).rejects.toMatchObject({
      code: 'database.unavailable',
      cause: { code },
    });
  },
);
