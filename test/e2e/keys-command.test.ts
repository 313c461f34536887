import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { keyIs } from '../support/keys';
import { CHECKOUT, cleanUp, postmasterOf, Program, Service, temporaryDirectory } from '../support/processes';

const COUNTERSIGN = join(CHECKOUT, 'dist/src/cli/countersign.js');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await cleanUp();
  await database.drop();
});

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function keys(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const program = new Program(process.execPath, [COUNTERSIGN, 'keys', ...args], env);
  const { code } = await program.ended;
  return { code, output: program.output.join('\n'), errors: program.errors.join('\n') };
}

async function added(env: Record<string, string>, ...args: string[]): Promise<string> {
  const { code, output, errors } = await keys(env, 'add', ...args, '--json');
  if (code !== 0) throw new Error(errors);
  return (JSON.parse(output) as { key: string }).key;
}

it('beside a service with its embedded database: keys count at once, and end at once', async () => {
  const DATA_DIR = temporaryDirectory();
  const service = await Service.start({ DATA_DIR });
  const postmaster = postmasterOf(DATA_DIR);
  const key = await added(
    { DATA_DIR },
    '--role',
    'agent',
    '--name',
    'deployer',
    '--owner',
    'alice@example.org',
  );
  await keyIs(true, service.url, key);
  expect((await new Api(service.url, { agent: key, operator: '' }).enqueue()).status).toBe(201);

  const { output } = await keys({ DATA_DIR }, 'list');
  expect(output).toMatch(/deployer +agent +alice@example\.org/);
  expect(output).not.toContain(key);

  expect(await keys({ DATA_DIR }, 'revoke', 'deployer')).toMatchObject({ code: 0 });
  await keyIs(false, service.url, key);
  expect(postmasterOf(DATA_DIR)).toBe(postmaster);
  expect((await service.stop()).code).toBe(0);
  expect(service.eventsNamed('access.key-ended')).toMatchObject([{ name: 'deployer' }]);
  expect(service.output.join('\n')).not.toContain(key);
});

it('before the first start: the key counts, no pair is generated, and another host than loopback will do', async () => {
  const DATA_DIR = temporaryDirectory();
  const first = await keys({ DATA_DIR }, 'add', '--role', 'operator', '--name', 'olivia');
  expect(first.errors).toMatch(
    `${DATA_DIR} held no database: a new one was made there. A service uses this key only when it is started with this DATA_DIR`,
  );
  expect(first.output).not.toContain('every replica');
  const key = /^cso_.*$/m.exec(first.output)?.[0] ?? '';
  expect((await keys({ DATA_DIR }, 'add', '--role', 'agent', '--name', 'a')).errors).toBe('');
  expect(postmasterOf(DATA_DIR)).toBeNull();
  const service = await Service.start({ DATA_DIR, AGENT_API_KEY: '', OPERATOR_API_KEY: '', HOST: '0.0.0.0' });
  const { port } = new URL(service.url);
  await keyIs(true, `http://127.0.0.1:${port}`, key);
  expect(() => statSync(join(DATA_DIR, 'keys.json'))).toThrow('ENOENT');
  await service.stop();
});

it.each([['list'], ['revoke', 'olivia'], ['rotate-signing']])(
  'where no database is, %s makes none, and asks which one is meant',
  async (...args) => {
    const DATA_DIR = join(temporaryDirectory(), 'mistyped');
    const { code, output, errors } = await keys({ DATA_DIR }, ...args);
    expect([code, output]).toEqual([2, '']);
    expect(errors).toMatch(`${DATA_DIR} holds no database: say with DATA_DIR or DATABASE_URL`);
    expect(existsSync(DATA_DIR)).toBe(false);
  },
);

it('list without keys names the pair that the service made itself', async () => {
  const DATA_DIR = temporaryDirectory();
  const list = async () => (await keys({ DATA_DIR, DATABASE_URL: database.url }, 'list')).output;
  expect(await list()).toBe('There are no keys.');
  writeFileSync(join(DATA_DIR, 'keys.json'), '{}');
  expect(await list()).toContain(join(DATA_DIR, 'keys.json'));
});

describe('on DATABASE_URL', () => {
  const on = () => ({ DATABASE_URL: database.url });

  it('a key is shown once, as JSON or for people', async () => {
    const { output } = await keys(on(), 'add', '--role', 'agent', '--name', 'shown', '--json');
    expect(JSON.parse(output)).toEqual({
      name: 'shown',
      role: 'agent',
      owner: null,
      key: expect.stringMatching(/^csa_[A-Za-z0-9_-]{43}$/) as string,
      createdAt: expect.any(String) as string,
    });
    const forPeople = await keys(on(), 'add', '--role', 'observer', '--name', 'prometheus');
    expect(forPeople.output).toMatch(/^csv_[A-Za-z0-9_-]{43}$/m);

    const list = JSON.parse((await keys(on(), 'list', '--json')).output) as { keys: { name: string }[] };
    expect(list.keys.map(({ name }) => name)).toEqual(['shown', 'prometheus']);
    expect(Object.keys(list.keys[0] ?? {}).sort()).toEqual([
      'createdAt',
      'lastUsedAt',
      'name',
      'owner',
      'revokedAt',
      'role',
    ]);
  });

  it('what was done to keys is in the audit log', async () => {
    await added(on(), '--role', 'agent', '--name', 'audited', '--owner', 'alice');
    await keys(on(), 'revoke', 'audited');
    // Again: it is revoked already, and nothing is done.
    expect(await keys(on(), 'revoke', 'audited')).toMatchObject({ code: 0 });
    const rows = await database.query<{ type: string; actor: string; data: string }>(
      `select type, actor, data from audit_log where data like '%"audited"%' order by seq`,
    );
    expect(rows.map(({ type }) => type)).toEqual(['access.key-added', 'access.key-revoked']);
    expect(rows[0]?.actor).toMatch(/^cli:./);
    expect(JSON.parse(rows[0]?.data ?? '')).toEqual({ name: 'audited', role: 'agent', owner: 'alice' });
  });

  it('a name that is or was taken, and one that nobody has, are refused with what to do', async () => {
    const taken = await keys(on(), 'add', '--role', 'agent', '--name', 'audited');
    expect([taken.code, taken.output]).toEqual([2, '']);
    expect(taken.errors).toMatch(
      /the name audited is taken, and stays so after a key is revoked; choose another/,
    );
    const unknown = await keys(on(), 'revoke', 'nobody');
    expect([unknown.code, unknown.output]).toEqual([2, '']);
    expect(unknown.errors).toMatch(/there is no key named nobody; "countersign keys list" shows all/);
  });

  it('a database without a schema, or none at all, is said so', async () => {
    const empty = await createTestDatabase({ migrated: false });
    try {
      const { code, errors } = await keys({ DATABASE_URL: empty.url }, 'list');
      expect(code).toBe(2);
      expect(errors).toMatch(
        /no schema of this version yet; start the service once, or run "npm run migrate"/,
      );
    } finally {
      await empty.drop();
    }
    const nowhere = await keys({ DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' }, 'list');
    expect(nowhere.code).toBe(2);
    expect(nowhere.errors).toMatch(/ECONNREFUSED/);
    expect(nowhere.errors).not.toContain('secret');
  });
});
