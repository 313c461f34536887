import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Client } from 'pg';
import { usableBinaries } from '../../src/database/embedded/binaries';
import { readCredentials } from '../../src/database/embedded/cluster';
import { findHome } from '../../src/database/embedded/home';
import { endPostmaster, freePort, startPostmaster } from '../../src/database/embedded/postmaster';
import { deploy } from '../support/embedded-deployment';
import {
  AM_ROOT,
  cleanUp,
  EmbeddedProcess,
  homeOf,
  isAlive,
  ORDINARY_USER,
  postgresIn,
  postmastersIn,
  type Ready,
} from '../support/embedded-process';
import { until } from '../support/until';

// Real starts on a machine that may be busy with other tests; nothing here waits for a clock.
jest.setTimeout(120_000);

let base: string;
let program: string;
let template: string;
let dataDirs: string[] = [];
let services: EmbeddedProcess[] = [];

/** A place for a DATA_DIR that does not exist yet, below a directory everybody may pass. */
function place(name = 'data'): string {
  const parent = mkdtempSync(join(base, 'case-'));
  chmodSync(parent, 0o777);
  const dataDir = join(parent, name);
  dataDirs.push(dataDir);
  return dataDir;
}

/** A DATA_DIR whose database exists already, with the mark in it; copied, because making one takes a second. */
function placeWithDatabase(user: typeof ORDINARY_USER = {}): string {
  const dataDir = place();
  execFileSync('cp', ['-a', '--reflink=auto', template, dataDir]);
  if (user.uid !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, dataDir]);
  return dataDir;
}

function run(
  dataDir: string,
  options: ConstructorParameters<typeof EmbeddedProcess>[2] & { program?: string } = {},
): EmbeddedProcess {
  const service = new EmbeddedProcess(options.program ?? program, dataDir, options);
  services.push(service);
  return service;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Writes a row that must be found again. */
const leaveMark = (at: Ready): Promise<unknown> =>
  query(at.ownerUrl, 'create table mark as select 42 as answer');
async function expectMark(at: Ready): Promise<void> {
  expect(await query(at.ownerUrl, 'select answer from mark')).toEqual([{ answer: 42 }]);
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'embedded-postgres-'));
  chmodSync(base, 0o755);
  program = deploy(join(base, 'installation'), 'borrowed');
  template = place();
  const service = run(template);
  await leaveMark(await service.ready());
  await service.stop();
  dataDirs = [];
});

afterEach(async () => {
  await Promise.all(services.map((service) => service.kill()));
  for (const dataDir of dataDirs) await cleanUp(dataDir);
  services = [];
  dataDirs = [];
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('a database of its own', () => {
  it('serves an owner, and a service role that may only what it was granted', async () => {
    const at = await run(place()).ready();
    await leaveMark(at);
    await expect(query(at.url, 'select * from mark')).rejects.toMatchObject({ code: '42501' });
    await expect(query(at.url, 'create table mine ()')).rejects.toMatchObject({ code: '42501' });
    await query(at.ownerUrl, 'grant select on mark to countersign');
    expect(await query(at.url, 'select * from mark')).toEqual([{ answer: 42 }]);
  });

  it('is durable, deterministic and closed to everybody without a password', async () => {
    const dataDir = placeWithDatabase();
    const at = await run(dataDir).ready();
    const settings = [
      'fsync',
      'synchronous_commit',
      'full_page_writes',
      'data_checksums',
      'listen_addresses',
      'TimeZone',
      'server_encoding',
    ];
    const rows = await query(
      at.url,
      settings.map((name) => `select current_setting('${name}') as value`).join(' union all '),
    );
    expect(rows.map((row) => row.value)).toEqual(['on', 'on', 'on', 'on', '127.0.0.1', 'UTC', 'UTF8']);
    const [database] = await query(
      at.url,
      `select datlocprovider, datlocale from pg_database where datname = 'countersign'`,
    );
    expect(database).toEqual({ datlocprovider: 'b', datlocale: 'C.UTF-8' });

    const wrong = new URL(at.url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    wrong.username = 'postgres';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const credentials = statSync(join(homeOf(dataDir), 'cluster/countersign-credentials.json'));
    expect(credentials.mode & 0o777).toBe(0o600);
  });

  it('keeps what an agent sent out of its log when a statement fails', async () => {
    const dataDir = placeWithDatabase();
    const at = await run(dataDir).ready();
    await query(at.ownerUrl, 'create table once (value text primary key)');
    const insert = `insert into once values ('canary-5c1e')`;
    await query(at.ownerUrl, insert);
    await expect(query(at.ownerUrl, insert)).rejects.toMatchObject({ code: '23505' });
    const log = readFileSync(join(homeOf(dataDir), 'server.log'), 'utf8');
    expect(log).toContain('once_pkey');
    expect(log).not.toContain('canary-5c1e');
  });

  it('ends in order, leaves no process and no shared memory, and comes back with its data', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    const at = await first.ready();
    const held = new Client({ connectionString: at.url });
    held.on('error', () => undefined);
    await held.connect();
    await first.stop();
    expect(postgresIn(dataDir)).toEqual([]);
    expect(existsSync(join(homeOf(dataDir), 'cluster/postmaster.pid'))).toBe(false);
    expect(first.said('database.embedded-stopped')).toMatchObject({ signal: 'SIGINT' });
    if (process.platform === 'linux') {
      const creators = readFileSync('/proc/sysvipc/shm', 'utf8').split('\n').slice(1);
      expect(creators.filter((line) => line.trim().split(/\s+/)[4] === String(at.pid))).toEqual([]);
    }
    const again = await run(dataDir).ready();
    expect(again.adopted).toBe(false);
    expect(again.url).not.toContain('undefined');
    await expectMark(again);
  });

  it('does not hear Ctrl-C at the terminal of the service', async () => {
    const service = run(placeWithDatabase());
    const at = await service.ready();
    service.signalGroup('SIGINT');
    await service.hears('interrupted');
    expect(await query(at.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(isAlive(at.pid)).toBe(true);
    await service.stop();
  });
});

describe('a server that outlives its service, or dies before it', () => {
  it('is adopted after the service was killed, and then ended by the new one', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    const before = await first.ready();
    await first.kill();
    expect(isAlive(before.pid)).toBe(true);

    const second = run(dataDir);
    const after = await second.ready();
    expect(after).toMatchObject({ pid: before.pid, adopted: true, url: before.url });
    await expectMark(after);
    await second.stop();
    expect(postgresIn(dataDir)).toEqual([]);
  });

  it.each(['started', 'adopted'])(
    'is started again, where it was, when it dies, having been %s',
    async (how) => {
      const dataDir = placeWithDatabase();
      let service = run(dataDir);
      let at = await service.ready();
      if (how === 'adopted') {
        await service.kill();
        service = run(dataDir);
        at = await service.ready();
      }
      process.kill(at.pid, 'SIGKILL');
      await service.hears('database.embedded-died');
      const { port } = await service.hears('database.embedded-revived');
      expect(new URL(at.url).port).toBe(String(port));
      await expectMark(at);
      await service.stop();
      expect(postgresIn(dataDir)).toEqual([]);
      const again = await run(dataDir).ready();
      expect(again.adopted).toBe(false);
    },
  );

  it('that cannot be started again is tried for until it can, and keeps nobody from stopping', async () => {
    const dataDir = placeWithDatabase();
    const service = run(dataDir);
    const at = await service.ready();
    const version = join(homeOf(dataDir), 'cluster', 'PG_VERSION');
    const right = readFileSync(version, 'utf8');
    writeFileSync(version, '9\n');
    process.kill(at.pid, 'SIGKILL');
    const { error } = await service.hears('database.embedded-stays-down');
    expect(error).toContain('database files are incompatible with server');
    writeFileSync(version, right);
    await service.hears('database.embedded-revived');
    await expectMark(at);
    await service.stop();
    expect(postgresIn(dataDir)).toEqual([]);

    const next = run(dataDir);
    const { pid } = await next.ready();
    writeFileSync(version, '9\n');
    process.kill(pid, 'SIGKILL');
    await next.hears('database.embedded-stays-down');
    await next.stop();
    expect(postgresIn(dataDir)).toEqual([]);
  });

  it('that is being started again but does not serve yet keeps nobody from stopping', async () => {
    const dataDir = placeWithDatabase();
    const service = run(dataDir);
    const { pid } = await service.ready();
    writeFileSync(join(homeOf(dataDir), 'cluster', 'pg_hba.conf'), 'host all all 127.0.0.1/32 reject\n');
    process.kill(pid, 'SIGKILL');
    await service.hears('database.embedded-died');
    await until('it runs again', () => postgresIn(dataDir).length > 0);
    await service.stop();
    // Its start was given up, and had not failed by itself.
    expect(service.said('database.embedded-stays-down')).toBeUndefined();
    expect(postgresIn(dataDir)).toEqual([]);
  });

  it('is replaced at once when both it and its service were killed with connections open', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    const at = await first.ready();
    const busy = new Client({ connectionString: at.url });
    busy.on('error', () => undefined);
    await busy.connect();
    const work = busy.query('select pg_sleep(1)').catch(() => 'cut off');
    process.kill(at.pid, 'SIGKILL');
    await first.kill();
    await expectMark(await run(dataDir).ready());
    await work;
    await busy.end().catch(() => undefined);
  });

  it('is not mistaken for another process that got its number', async () => {
    const dataDir = placeWithDatabase(ORDINARY_USER);
    const first = run(dataDir, { user: ORDINARY_USER });
    await first.ready();
    await first.stop();
    const bystander = run(placeWithDatabase(ORDINARY_USER), { user: ORDINARY_USER });
    await bystander.ready();
    const pidFile = join(homeOf(dataDir), 'cluster/postmaster.pid');
    writeFileSync(
      pidFile,
      [bystander.pid, join(homeOf(dataDir), 'cluster'), 1, 5432, '', '127.0.0.1', '', 'ready   '].join('\n'),
    );
    if (AM_ROOT) chownSync(pidFile, 65_534, 65_534);
    const again = await run(dataDir, { user: ORDINARY_USER }).ready();
    expect(again.adopted).toBe(false);
    await expectMark(again);
    expect(isAlive(bystander.pid)).toBe(true);
  });

  it('takes another port when its last one is taken', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    const before = await first.ready();
    const port = Number(new URL(before.url).port);
    process.kill(before.pid, 'SIGKILL');
    await first.kill();
    const thief = createServer((socket) => socket.destroy());
    await until(
      'the port is taken',
      () =>
        new Promise<boolean>((resolve) => {
          thief.once('error', () => resolve(false));
          thief.listen(port, '127.0.0.1', () => resolve(true));
        }),
    );
    const after = await run(dataDir).ready();
    expect(new URL(after.url).port).not.toBe(String(port));
    await new Promise((resolve) => thief.close(resolve));
  });

  it('takes another port when the chosen one is taken before the server has it', async () => {
    const home = await findHome(placeWithDatabase());
    if (home === null) throw new Error('the template has no database');
    const credentials = await readCredentials(home.cluster);
    const thief = createServer((socket) => socket.destroy());
    const taken = await new Promise<number>((resolve) =>
      thief.listen(0, '127.0.0.1', () => resolve((thief.address() as AddressInfo).port)),
    );
    const ports = [taken, taken, await freePort()];
    const binaries = await usableBinaries(home.directory, home.runAs, () => undefined);
    const server = await startPostmaster(home, binaries, credentials, {
      choosePort: () => Promise.resolve(ports.shift() ?? 0),
    });
    expect(ports).toEqual([]);
    expect(server.port).not.toBe(taken);
    expect(await endPostmaster(server)).toBe('SIGINT');
    await new Promise((resolve) => thief.close(resolve));
  });
});

describe('two services on one DATA_DIR', () => {
  it('refuses the second with the path and the PID of the first, which goes on', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    const at = await first.ready();
    const message = await run(dataDir).failure();
    expect(message).toContain(dataDir);
    expect(message).toContain(`PID ${first.pid}`);
    expect(await query(at.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it.each(['an empty directory', 'a directory whose owner was killed'])(
    'lets one of six win that race for %s',
    async (what) => {
      const empty = what === 'an empty directory';
      const dataDir = empty ? place() : placeWithDatabase();
      if (!empty) {
        const killed = run(dataDir);
        await killed.ready();
        await killed.kill();
      }
      const racers = Array.from({ length: 6 }, () => run(dataDir));
      await until('all have an outcome', () =>
        racers.every((racer) => racer.said('ready') ?? racer.said('failed')),
      );
      expect(racers.filter((racer) => racer.said('ready'))).toHaveLength(1);
      expect(postmastersIn(dataDir)).toHaveLength(1);
    },
  );
});

describe('an interrupted start', () => {
  const moments: [string, (home: string, dataDir: string) => boolean][] = [
    [
      'the lock is taken',
      (_, dataDir) => readdirSync(dataDir).some((name) => name.startsWith('service.lock')),
    ],
    ['initdb has begun', (home) => readdirSync(home).some((name) => name.startsWith('cluster.new-'))],
    ['initdb is nearly done', (home) => unfinishedHas(home, 'base/5')],
    ['the passwords are written', (home) => unfinishedHas(home, 'countersign-credentials.json')],
    ['the cluster is in its place', (home) => existsSync(join(home, 'cluster'))],
    ['the server was launched', (home) => existsSync(join(home, 'server.log'))],
    ['the server is starting', (home) => existsSync(join(home, 'cluster/postmaster.pid'))],
  ];
  const unfinishedHas = (home: string, path: string): boolean =>
    readdirSync(home).some((name) => name.startsWith('cluster.new-') && existsSync(join(home, name, path)));

  it.each(moments)('is made good by the next one when it was killed as %s', async (_, reached) => {
    const dataDir = place();
    const victim = run(dataDir);
    while (!victim.said('ready')) {
      try {
        if (reached(homeOf(dataDir), dataDir)) break;
      } catch {
        // not there yet
      }
      await new Promise(setImmediate);
    }
    await victim.kill();
    await leaveMark(await run(dataDir).ready());
    expect(readdirSync(homeOf(dataDir)).sort()).toEqual(['cluster', 'server.log']);
    await until('only the new server runs', () => postmastersIn(dataDir).length === 1);
  });

  it('is made good by the next one when its orphan still writes after the new cluster was begun', async () => {
    const dataDir = place();
    const next = run(dataDir);
    await until('the new cluster is begun', () => {
      const home = homeOf(dataDir);
      return existsSync(home) && readdirSync(home).some((name) => name.startsWith('cluster.new-'));
    });
    mkdirSync(join(homeOf(dataDir), 'cluster.new-orphan/base'), { recursive: true });
    await leaveMark(await next.ready());
    expect(readdirSync(homeOf(dataDir)).sort()).toEqual(['cluster', 'server.log']);
  });
});

describe('wherever it is', () => {
  it('lives in a relative path with spaces, longer than a socket path, without any environment', async () => {
    const dataDir = place(`my data ${'long '.repeat(30)}`);
    const service = run(relative(base, dataDir), { cwd: base, under: ['env', '-i'] });
    const at = await service.ready();
    expect(homeOf(dataDir).startsWith(dataDir)).toBe(true);
    expect(await query(at.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await service.stop();
  });

  it('serves an ordinary user under a tight umask', async () => {
    const dataDir = place();
    const at = await run(dataDir, {
      user: ORDINARY_USER,
      under: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
    }).ready();
    expect(statSync(`/proc/${at.pid}`).uid).toBe(ORDINARY_USER.uid ?? process.getuid?.());
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it('works without install scripts and execute bits, from packages it may not write', async () => {
    const bare = deploy(join(base, 'bare'), 'bare');
    const dataDir = place();
    const service = run(dataDir, { program: bare, user: ORDINARY_USER });
    await service.ready();
    expect(service.said('database.embedded-binaries-copied')).toBeDefined();
    await service.stop();
    const again = run(dataDir, { program: bare, user: ORDINARY_USER });
    await again.ready();
    expect(again.said('database.embedded-binaries-copied')).toBeUndefined();
  });

  it('names DATABASE_URL where there is no PostgreSQL for the platform', async () => {
    const missing = deploy(join(base, 'missing'), 'missing');
    expect(await run(place(), { program: missing }).failure()).toContain('DATABASE_URL');
  });

  it('says what the server said when it does not start', async () => {
    const dataDir = placeWithDatabase();
    const first = run(dataDir);
    await first.ready();
    await first.stop();
    const cluster = join(homeOf(dataDir), 'cluster');
    writeFileSync(join(cluster, 'PG_VERSION'), '9\n');
    const message = await run(dataDir).failure();
    expect(message).toContain(dataDir);
    expect(message).toContain('database files are incompatible with server');
  });

  it('names a DATA_DIR that it cannot make', async () => {
    const dataDir = place();
    writeFileSync(dataDir, 'a file');
    expect(await run(dataDir).failure()).toContain(dataDir);
  });
});

// Only root can play root; the ordinary user's tests above run for everybody.
if (AM_ROOT) {
  describe('as root', () => {
    it('runs as somebody else, in DATA_DIR where that one can reach it', async () => {
      const dataDir = placeWithDatabase();
      const service = run(dataDir);
      const at = await service.ready();
      expect(statSync(`/proc/${at.pid}`).uid).not.toBe(0);
      expect(homeOf(dataDir)).toBe(join(dataDir, 'postgres'));
      expect(service.said('database.embedded-relocated')).toBeUndefined();
    });

    it('keeps cluster and binaries where they can be reached, says so, and finds them again', async () => {
      const parent = mkdtempSync(join(base, 'private-'));
      const dataDir = join(parent, 'data');
      dataDirs.push(dataDir);
      const hidden = deploy(join(parent, 'installation'), 'whole');
      mkdirSync(dataDir);

      const first = run(dataDir, { program: hidden });
      const at = await first.ready();
      const home = homeOf(dataDir);
      expect(home.startsWith('/var/lib/countersign/')).toBe(true);
      expect(first.said('database.embedded-relocated')).toMatchObject({ dataDir, home });
      await leaveMark(at);
      await first.kill();

      const second = run(dataDir, { program: hidden });
      const adopted = await second.ready();
      expect(adopted).toMatchObject({ pid: at.pid, adopted: true });
      await second.stop();

      const third = run(dataDir, { program: hidden });
      await expectMark(await third.ready());
      expect(third.said('database.embedded-binaries-copied')).toBeUndefined();
      await third.stop();

      rmSync(join(home, 'cluster'), { recursive: true });
      expect(await run(dataDir, { program: hidden }).failure()).toContain(home);
    });

    it('goes on as the owner of a database that an ordinary user began', async () => {
      const dataDir = placeWithDatabase(ORDINARY_USER);
      const first = run(dataDir, { user: ORDINARY_USER });
      await first.ready();
      await first.stop();
      const second = run(dataDir);
      const at = await second.ready();
      expect(statSync(`/proc/${at.pid}`).uid).toBe(ORDINARY_USER.uid);
      await expectMark(at);
      await second.stop();
      await expectMark(await run(dataDir, { user: ORDINARY_USER }).ready());
    });
  });
}
