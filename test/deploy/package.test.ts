import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Newcomer, pack } from '../support/packed';
import { CHECKOUT, cleanUp, freePort, temporaryDirectory, type Program } from '../support/processes';
import { until } from '../support/until';

// A build and two installations.
jest.setTimeout(900_000);

const run = promisify(execFile);
const MAX_TARBALL_BYTES = 1_500_000;
const MAX_INSTALLATION_MB = 120;

let packed: Awaited<ReturnType<typeof pack>>;
let newcomer: Newcomer;
let database: TestDatabase;

beforeAll(async () => {
  const directory = temporaryDirectory('countersign-package-');
  database = await createTestDatabase({ migrated: false });
  packed = await pack(directory);
  newcomer = await Newcomer.at(join(directory, 'home'));
});
afterAll(async () => {
  await cleanUp();
  await database.drop();
});

describe('the tarball', () => {
  it('holds what runs, its types and licences, and nothing else', () => {
    const expected = [
      /^(package\.json|README\.md|LICENSE)$/,
      /^dist\/agent\/countersign-agent\.cjs$/,
      /^dist\/console\/(index\.html|icon\.svg|licences\.txt|[\w-]+\.(mjs|css))$/,
      /^dist\/migrations\/\d+-\w+\.js$/,
      /^dist\/node_modules\/(LICENSES|libraries\.js|(@?[\w-]+\/)+[\w-]+\.js)$/,
      /^dist\/src\/.+\.js$/,
      /^dist\/src\/(kernel|receipts|agent-side\/client)\/[\w-]+\.d\.ts$/,
      /^dist\/src\/agent-side\/client\.d\.ts$/,
      /^src\/cli\/countersign\.cjs$/,
      /^src\/sandbox\/page\/[\w-]+\.(js|css|html|json)$/,
    ];
    expect(packed.files.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([]);
    for (const pattern of expected) expect(packed.files.filter((path) => pattern.test(path))).not.toEqual([]);
  });

  it('is at most 1.5 MB', () => {
    expect(packed.bytes).toBeLessThanOrEqual(MAX_TARBALL_BYTES);
  });

  it.each(['publint', 'attw'])('has nothing that %s finds', async (tool) => {
    const program = join(CHECKOUT, 'node_modules/.bin', tool);
    const args = tool === 'publint' ? ['run', packed.tarball, '--strict'] : [packed.tarball];
    // A tool that finds something fails, and says on standard output what.
    const { stdout } = await run(program, args).catch((error: unknown) => error as { stdout: string });
    expect(stdout).toMatch(/All good!|No problems found/);
  });
});

/** Asks over REST, decides with the command and examines the installation, all beside a running service. */
async function decideAndExamine(countersign: string, env: Readonly<Record<string, string>>, dataDir: string) {
  const url = `http://127.0.0.1:${env.PORT ?? ''}`;
  const ready = () =>
    fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('the service is ready', ready, 120_000);
  const keys = JSON.parse(readFileSync(join(dataDir, 'keys.json'), 'utf8')) as {
    agent: string;
    operator: string;
  };
  const question = { agentId: 'a', sessionId: 's', toolName: 'Bash', toolInput: { command: 'make deploy' } };
  const asked = await newcomer.run([
    ...['curl', '-fsS', `${url}/api/approvals`, '-H', `Authorization: Bearer ${keys.agent}`],
    ...['-H', 'Content-Type: application/json', '-d', JSON.stringify(question)],
  ]);
  const { id } = JSON.parse(asked.out) as { id: string };
  const operator = { ...env, COUNTERSIGN_URL: url, COUNTERSIGN_KEY: keys.operator };
  const decided = await newcomer.run([countersign, 'approvals', 'approve', id, '--json'], operator);
  expect(JSON.parse(decided.out)).toMatchObject({ id, status: 'approved' });
  const examined = await newcomer.run([countersign, 'doctor'], operator);
  expect(examined).toMatchObject({ code: 0, out: expect.stringContaining('No problems found.') as string });
}

const stopped = async (service: Program): Promise<void> => {
  expect(await service.stop()).toEqual({ code: 0, signal: null });
};

describe('installed globally by an ordinary user, in an empty directory and environment', () => {
  let countersign: string;
  let data: string;

  beforeAll(async () => {
    await newcomer.install(['--global', '--prefix', join(newcomer.home, 'app'), packed.tarball]);
    countersign = join(newcomer.home, 'app/bin/countersign');
    data = join(newcomer.home, '.local/share/countersign');
  });
  afterAll(() => expect(readdirSync(join(newcomer.home, 'work'))).toEqual([]));

  it('names its version', async () => {
    const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (const program of [countersign, join(newcomer.home, 'app/bin/countersign-agent')])
      expect(await newcomer.run([program, '--version'])).toEqual({ code: 0, out: version, err: '' });
  });

  it('plays the demo', async () => {
    const env = { PORT: String(await freePort()), SANDBOX_PORT: String(await freePort()) };
    const { code, out } = await newcomer.run([countersign, 'demo', '--', '--auto'], env);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('as it should') as string });
    expect(existsSync(join(data, 'demo/keys.json'))).toBe(true);
  });

  it('serves, decides and finds nothing wrong, with its data where the platform keeps data', async () => {
    const env = { PORT: String(await freePort()) };
    const service = newcomer.start([countersign, 'serve', '--port', env.PORT]);
    await decideAndExamine(countersign, env, data);
    for (const path of ['/api/docs/swagger-ui-bundle.js', '/agent/manifest.json', '/console'])
      expect((await fetch(`http://127.0.0.1:${env.PORT}${path}`)).status).toBe(200);
    await stopped(service);
  });
});

describe('installed without the optional PostgreSQL', () => {
  let countersign: string;

  beforeAll(async () => {
    const prefix = join(newcomer.home, 'app/small');
    mkdirSync(prefix);
    await run('chown', ['--reference', join(prefix, '..'), prefix]);
    await newcomer.install(['--prefix', prefix, '--omit=optional', packed.tarball]);
    countersign = join(prefix, 'node_modules/.bin/countersign');
  });

  it('takes at most 120 MB and runs no script of a package', async () => {
    const modules = join(newcomer.home, 'app/small/node_modules');
    const { stdout } = await run('du', ['-sm', modules]);
    expect(parseInt(stdout)).toBeLessThanOrEqual(MAX_INSTALLATION_MB);
    expect(existsSync(join(modules, 'typescript'))).toBe(false);
  });

  it('names the setting for a database of one’s own', async () => {
    const { code, err } = await newcomer.run([countersign, 'serve', '--port', '0']);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('set DATABASE_URL') as string });
  });

  it('migrates as the owner, serves with DATABASE_URL, decides and finds nothing wrong', async () => {
    const data = join(newcomer.home, 'data');
    const env = { PORT: String(await freePort()), DATABASE_URL: database.serviceUrl, DATA_DIR: data };
    const migrated = await newcomer.run([countersign, 'migrate'], {
      ...env,
      DATABASE_MIGRATION_URL: database.url,
    });
    expect(migrated).toMatchObject({ code: 0, out: expect.stringContaining('Ran ') as string });
    const service = newcomer.start([countersign, 'serve'], env);
    await decideAndExamine(countersign, env, data);
    await stopped(service);
  });
});
