import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import {
  cleanUp,
  freePort,
  postmasterOf,
  processesOf,
  Service,
  temporaryDirectory,
} from '../support/processes';
import { BOT_TOKEN } from '../support/well-known';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await cleanUp();
  await database.drop();
});

/** The error of a failed start: one line without a stack trace, and exit code 1. */
async function refusalOf(env: Record<string, string>): Promise<string> {
  const service = Service.launch({ LOG_LEVEL: 'info', ...env });
  expect(await service.ended).toEqual({ code: 1, signal: null });
  const said = service.errors.filter((line) => line.trim() !== '');
  expect(said.join('\n')).not.toMatch(/^\s+at |node:internal|Node\.js v/m);
  return said.join('\n');
}

const elsewhere = (): Record<string, string> => ({
  DATABASE_URL: database.url,
  DATA_DIR: temporaryDirectory(),
});

describe('a start that cannot succeed says why in one line and exits with 1', () => {
  let taken: Server;
  let port: string;

  beforeAll(async () => {
    taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    port = String((taken.address() as AddressInfo).port);
  });
  afterAll(() => new Promise((done) => taken.close(done)));

  it('a port in use', async () => {
    const said = await refusalOf({ ...elsewhere(), PORT: port });
    expect(said).toMatch(new RegExp(`^countersign: .*${port}.*$`));
    expect(said).toContain('in use');
    expect(said).toContain('PORT');
  });

  it('a port in use, with the embedded database: which is stopped again', async () => {
    const dataDir = join(temporaryDirectory(), 'data');
    expect(await refusalOf({ PORT: port, DATA_DIR: dataDir })).toContain(port);
    expect(postmasterOf(dataDir)).toBeNull();
    expect(processesOf(dataDir)).toEqual([]);
  });

  it('a database that is not there', async () => {
    const away = `postgres://countersign:top-secret@127.0.0.1:${await freePort()}/countersign`;
    const said = await refusalOf({ DATABASE_URL: away, DATA_DIR: temporaryDirectory() });
    expect(said).toMatch(/^countersign: .*database.*$/i);
    expect(said).toContain(new URL(away).port);
    expect(said).not.toContain('top-secret');
  });

  it('a malformed token, without repeating it', async () => {
    const token = '1234:short';
    const said = await refusalOf({
      ...elsewhere(),
      TELEGRAM_BOT_TOKEN: token,
      TELEGRAM_CHAT_ID: '-1001',
      TELEGRAM_OPERATORS: '1:Olivia',
    });
    expect(said).toContain('TELEGRAM_BOT_TOKEN');
    expect(said).not.toContain(token);
  });

  it('a token without operators (telegram.md 21)', async () => {
    const said = await refusalOf({
      ...elsewhere(),
      TELEGRAM_BOT_TOKEN: BOT_TOKEN,
      TELEGRAM_CHAT_ID: '-1001',
    });
    expect(said).toContain('TELEGRAM_OPERATORS');
  });

  it('checkpoints that cannot be written', async () => {
    const said = await refusalOf({ ...elsewhere(), AUDIT_CHECKPOINT_FILE: temporaryDirectory() });
    expect(said).toMatch(
      /^countersign: Configuration is wrong: AUDIT_CHECKPOINT_FILE: cannot be written to \(EISDIR\)/,
    );
  });

  it('a malformed signing key, which has nothing to do with listening', async () => {
    const key = '-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----\n';
    const said = await refusalOf({ ...elsewhere(), APPROVAL_SIGNING_KEY: key });
    expect(said).toMatch(/^countersign: Configuration is wrong: APPROVAL_SIGNING_KEY: .*$/);
  });

  it('an unknown variable of ours', async () => {
    const said = await refusalOf({ ...elsewhere(), APPROVAL_TIMEOUT_MINUTE: '5' });
    expect(said).toContain('APPROVAL_TIMEOUT_MINUTE');
  });
});

it('a start without Telegram succeeds, and warns once that nobody is shown requests', async () => {
  const service = await Service.start(elsewhere());
  expect(service.eventsNamed('telegram.off')).toMatchObject([
    { level: 'warn', msg: expect.stringMatching(/nobody is shown requests; decide with/) as string },
  ]);
  await service.stop();
});

it('a second service on one DATA_DIR is refused with the path and the owner’s PID, and harms nothing', async () => {
  const dataDir = join(temporaryDirectory(), 'data');
  const owner = await Service.start({ DATA_DIR: dataDir });
  const said = await refusalOf({ DATA_DIR: dataDir });
  expect(said).toContain(dataDir);
  expect(said).toContain(`PID ${owner.pid}`);
  expect((await fetch(`${owner.url}/health/ready`)).status).toBe(200);
  expect(await owner.stop()).toEqual({ code: 0, signal: null });
  expect(processesOf(dataDir)).toEqual([]);
});

describe('a POLICY_FILE that cannot be applied stops the start', () => {
  const policyFile = (document: string | null): Record<string, string> => {
    const file = join(temporaryDirectory(), 'policy.yaml');
    if (document !== null) writeFileSync(file, document);
    return { ...elsewhere(), POLICY_FILE: file };
  };

  it('where it has errors, which are shown in their place', async () => {
    const said = await refusalOf(policyFile('version: 1\nrules: [{ id: x }]\n'));
    expect(said).toMatch(/POLICY_FILE: .*policy\.yaml has errors/);
    expect(said).toMatch(/policy\.yaml:2:\d+/);
  });

  it('where it is missing', async () => {
    expect(await refusalOf(policyFile(null))).toMatch(/POLICY_FILE: .*policy\.yaml cannot be read/);
  });

  it('where the active policy demands two people for what it widens', async () => {
    const own = await createTestDatabase();
    const first = await Service.start({
      ...policyFile('version: 1\nrules: []\nchanges: { widening: 2 }\n'),
      DATABASE_URL: own.url,
    });
    await first.stop();
    const rule =
      '{ id: x, decision: allow, match: { key: "*", tool: Read, cwd: /srv/a, path: "/srv/a/**" } }';
    const wider = policyFile(`version: 1\nrules:\n  - ${rule}\n`);
    expect(await refusalOf({ ...wider, DATABASE_URL: own.url })).toContain('demands two people');
    await own.drop();
  });
});
