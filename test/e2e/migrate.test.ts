import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp, Program, temporaryDirectory } from '../support/processes';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterAll(async () => {
  await cleanUp();
  await database.drop();
});

async function npmRun(script: string, url = database.url): Promise<{ code: number | null; said: string }> {
  const env = { DATABASE_URL: url, DATA_DIR: temporaryDirectory(), LOG_LEVEL: 'error' };
  const program = new Program('npm', ['run', '--silent', script], env);
  const { code } = await program.ended;
  return { code, said: [...program.output, ...program.errors].join('\n') };
}

const tables = async (): Promise<string[]> =>
  (
    await database.query<{ name: string }>(
      `select table_name as name from information_schema.tables where table_schema = 'public' order by 1`,
    )
  ).map(({ name }) => name);

it('npm run migrate brings an external database up to date, and migrate:revert takes one step back', async () => {
  expect(await npmRun('migrate')).toMatchObject({
    code: 0,
    said: expect.stringContaining('CreateApprovals') as string,
  });
  const migrated = await tables();
  expect(migrated).toEqual(expect.arrayContaining(['approvals', 'audit_log', 'outbox', 'cards', 'leases']));
  expect(await npmRun('migrate')).toMatchObject({
    code: 0,
    said: expect.stringContaining('up to date') as string,
  });

  const done = await database.query<{ name: string }>('select name from migrations order by id');
  const newest = done.at(-1)?.name ?? '';
  expect(await npmRun('migrate:revert')).toMatchObject({
    code: 0,
    said: expect.stringContaining(newest) as string,
  });
  expect(await database.query('select name from migrations order by id')).toEqual(done.slice(0, -1));
  expect(await npmRun('migrate')).toMatchObject({ code: 0, said: expect.stringContaining(newest) as string });
  expect(await tables()).toEqual(migrated);
});

it('a database that is not there is said in one line, with exit code 1', async () => {
  const { code, said } = await npmRun('migrate', 'postgres://countersign:secret@127.0.0.1:9/countersign');
  expect(code).toBe(1);
  expect(said).toContain('127.0.0.1:9');
  expect(said).not.toMatch(/^\s+at /m);
  expect(said).not.toContain('secret');
});
