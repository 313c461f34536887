import { Client } from 'pg';
import { keySetSchema } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp, Service } from '../support/processes';
import { until } from '../support/until';

let database: TestDatabase;
let lock: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  lock = new Client({ connectionString: database.url });
  await lock.connect();
});
afterAll(async () => {
  await lock.end();
  await cleanUp();
  await database.drop();
});

it('after kill -9 between the expiry and its receipt, another replica signs it, and nobody reads', async () => {
  const environment = { DATABASE_URL: database.url, APPROVAL_SWEEP_INTERVAL_SECONDS: '1' };
  const first = await Service.start(environment);
  await lock.query('begin');
  await lock.query('lock table receipts in exclusive mode');
  const { id } = (await new Api(first.url).enqueue({ timeoutSeconds: 1 })).body;
  await until('a receipt waits for the lock', async () => {
    const waits = `select 1 from pg_locks where relation = 'receipts'::regclass and not granted`;
    return (await database.query(waits)).length > 0;
  });
  expect(await database.query('select status from approvals where id = $1', [id])).toEqual([
    { status: 'expired' },
  ]);
  await first.kill();
  await lock.query('commit');

  const second = await Service.start(environment);
  const jws = await until('the receipt is stored', async () => {
    const found = await database.query<{ jws: string }>('select jws from receipts where approval_id = $1', [
      id,
    ]);
    return found[0]?.jws ?? false;
  });
  const keys = keySetSchema.parse(await (await fetch(`${second.url}/.well-known/jwks.json`)).json());
  expect(await readReceipt(jws, keys)).toMatchObject({ approvalId: id, status: 'expired', decidedBy: null });
  expect((await new Api(second.url).get(id)).body).toMatchObject({ status: 'expired', receipt: jws });
  await second.stop();
});
