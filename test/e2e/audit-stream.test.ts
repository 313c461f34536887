import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startLogCollector, take, type Behaviour, type LogCollector } from '../support/log-collector';
import { cleanUp, Service, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

let database: TestDatabase;
let collector: LogCollector | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await cleanUp();
  await collector?.close();
  collector = null;
  await database.drop();
});

/** Starts a service that streams. What a killed one held is free: its lease has run out. */
async function start(stream: string, more: Record<string, string> = {}): Promise<Service> {
  await database.query(`update leases set expires_at = now() where name in ('audit-stream', 'audit-sealer')`);
  return Service.start({
    DATABASE_URL: database.url,
    DATA_DIR: temporaryDirectory(),
    AUDIT_STREAM: stream,
    ...more,
  });
}

async function decide(service: Service): Promise<void> {
  const api = new Api(service.url);
  const { body } = await api.enqueue();
  await api.decide(body.id, 'approved');
}

/** Waits until the log is sealed and streamed. @returns the number of the last seal. */
async function caughtUp(): Promise<number> {
  let last = 0;
  await until('all that was written is streamed', async () => {
    const [row] = await database.query<{ last: string; waiting: string; cursor: string }>(
      `select (select coalesce(max(number), 0) from audit_seals) as last, (select count(*) from audit_unsealed) as waiting,
         (select data from leases where name = 'audit-stream') as cursor`,
    );
    last = Number(row?.last);
    return row?.waiting === '0' && row.cursor === row.last;
  });
  return last;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

it('loses no row to kill -9, whether it comes before the rows are taken, before the answer, or before the cursor', async () => {
  const receiver = (collector = await startLogCollector());
  let service = await start(receiver.url);
  const kill = (): void => service.signal('SIGKILL');
  const boundaries: Behaviour[] = [
    () => {
      kill();
      return false;
    },
    () => {
      kill();
      return true;
    },
    (response, call) => {
      response.once('finish', kill);
      return take(response, call);
    },
  ];
  for (const boundary of boundaries) {
    receiver.next(boundary);
    await decide(service).catch(() => undefined);
    await service.ended;
    service = await start(receiver.url);
    await caughtUp();
  }
  await decide(service);
  const last = await caughtUp();
  expect(receiver.numbers()).toEqual(upTo(last));
  // What came twice is known by its number, and is the same.
  expect(new Set(receiver.taken.map((row) => JSON.stringify(row))).size).toBe(last);
  const types = new Set(receiver.taken.map(({ type }) => type));
  expect([...types]).toEqual(expect.arrayContaining(['approval.enqueued', 'approval.approved']));
});

it('loses no row to kill -9 while it writes to a file, and leaves whole lines but the one that was cut', async () => {
  const file = join(temporaryDirectory(), 'audit.jsonl');
  for (let round = 0; round < 3; round++) {
    const service = await start(`file:${file}`);
    const size = existsSync(file) ? readFileSync(file).length : 0;
    const load = Promise.all(upTo(8).map(() => decide(service).catch(() => undefined)));
    await until('it writes', () => existsSync(file) && readFileSync(file).length > size);
    await service.kill();
    await load;
  }
  const service = await start(`file:${file}`);
  await decide(service);
  const last = await caughtUp();
  const numbers = readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [(JSON.parse(line) as { number: number }).number];
      } catch {
        return [];
      }
    });
  expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(upTo(last));
});

it('trusts the certificate authority that the environment names, and no other', async () => {
  const directory = temporaryDirectory();
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  const receiver = (collector = await startLogCollector({
    key: readFileSync(key, 'utf8'),
    cert: readFileSync(cert, 'utf8'),
  }));
  const distrustful = await start(receiver.url);
  await decide(distrustful);
  await until('it refuses', () => distrustful.eventsNamed('audit.stream-failed').length > 0);
  expect(receiver.calls).toEqual([]);
  expect((await new Api(distrustful.url).call('operator', 'GET', '/health/ready')).status).toBe(200);
  await distrustful.stop();
  await start(receiver.url, { NODE_EXTRA_CA_CERTS: cert });
  const last = await caughtUp();
  expect(receiver.numbers()).toEqual(upTo(last));
});

it('writes rows to the standard output beside the log', async () => {
  const service = await start('stdout');
  await decide(service);
  const last = await caughtUp();
  const rows = service.events.filter(({ number }) => number !== undefined);
  expect(rows.map(({ number }) => number)).toEqual(upTo(last));
  expect(rows.map(({ type }) => type)).toContain('approval.approved');
  expect(rows.filter((row) => 'level' in row)).toEqual([]);
});
