import {
  appendFileSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  rmSync,
  mkdirSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { EventBus } from '@nestjs/cqrs';
import { sealAll } from '../../src/audit/audit-chain';
import { AuditStore } from '../../src/audit/audit-store';
import { AuditStream } from '../../src/audit/stream/audit-stream';
import { AuditStreamed, AuditStreamFailed } from '../../src/audit/stream/stream-events';
import { parseConfig } from '../../src/config/environment';
import type { DatabaseLocation } from '../../src/database/database-location';
import { LeaseStore } from '../../src/database/lease-store';
import { SystemClock } from '../../src/kernel/clock';
import { createLog } from '../../src/logging/log';
import { BacklogStore } from '../../src/operations/metrics/backlog-store';
import { RetentionStore } from '../../src/retention/retention-store';
import { createTestDatabase, type TestDatabase } from '../support/database';
import {
  breakOff,
  refuse,
  rejectRows,
  stall,
  startLogCollector,
  type LogCollector,
  type StreamedRow,
} from '../support/log-collector';
import { openTestStore, type OpenStore } from '../support/open-store';
import { cleanUp, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

let database: TestDatabase;
let pool: OpenStore;
let store: AuditStore;
let collector: LogCollector;
let logged: Record<string, unknown>[];
let rawLog: string[];
const replicas: AuditStream[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = await openTestStore(database.url);
  store = new AuditStore(pool.database);
  collector = await startLogCollector();
  logged = [];
  rawLog = [];
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.beforeApplicationShutdown()));
  await collector.close();
  await pool.close();
  await database.drop();
});
afterAll(cleanUp);

/** Rows as they are written, without a seal. */
const write = (seqs: readonly number[]) =>
  database.query(
    `insert into audit_log (seq, at, type, actor, correlation_id, data) overriding system value
     select seq, '2026-01-02T03:04:05.678901Z', 'approval.approved', 'telegram:1', 'c-1', '{"reason":"why not"}'
     from unnest($1::bigint[]) as seq`,
    [seqs],
  );

async function seal(): Promise<void> {
  const rows = await store.unsealed(1_000);
  if (rows.length > 0) await store.seal(sealAll(await store.lastSeal(), rows));
}

async function sealed(count: number): Promise<void> {
  const [row] = await database.query<{ last: string }>('select coalesce(max(seq), 0) as last from audit_log');
  const last = Number(row?.last);
  await write(Array.from({ length: count }, (_, index) => last + index + 1));
  await seal();
}

/** One replica that streams. */
function start(to: string, more: Record<string, string> = {}) {
  const leases = new LeaseStore(pool.database, { exclusive: false } as DatabaseLocation);
  const events: object[] = [];
  const config = parseConfig({ AUDIT_STREAM: to, ...more });
  const log = createLog(config.log, {
    write: (line: string) => {
      rawLog.push(line);
      const said = JSON.parse(line.split('\n')[0] ?? '') as Record<string, unknown>;
      if (said.event !== undefined) logged.push(said);
    },
  });
  const stream = new AuditStream(
    store,
    leases,
    { publish: (event: object) => void events.push(event) } as unknown as EventBus,
    new SystemClock(),
    log,
    config,
  );
  replicas.push(stream);
  stream.onApplicationBootstrap();
  return { stream, leases, events, stop: () => stream.beforeApplicationShutdown() };
}

async function cursor(): Promise<string | undefined> {
  const [row] = await database.query<{ data: string }>(`select data from leases where name = 'audit-stream'`);
  return row?.data;
}
const streamedUpTo = (number: number) =>
  until(`the cursor is at ${number}`, async () => (await cursor()) === String(number));

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const told = (event: string) => logged.filter((line) => line.event === event);

const rowsIn = (file: string): StreamedRow[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StreamedRow);

describe('to an endpoint', () => {
  it('sends each row with its number and hash as OpenTelemetry logs, with the headers that are set', async () => {
    await sealed(1);
    start(collector.url, { AUDIT_STREAM_HEADERS: 'Authorization=Splunk%20t0ken,x-team=a%2Cb' });
    await streamedUpTo(1);
    const [call] = collector.calls;
    expect(call?.url).toBe('/v1/logs');
    expect(call?.headers).toMatchObject({
      authorization: 'Splunk t0ken',
      'x-team': 'a,b',
      'content-type': 'application/json',
    });
    const [{ hash } = { hash: '' }] = await database.query<{ hash: string }>('select hash from audit_seals');
    expect(collector.taken).toEqual([
      {
        number: 1,
        seq: 1,
        at: '2026-01-02T03:04:05.678901Z',
        type: 'approval.approved',
        actor: 'telegram:1',
        approvalId: null,
        correlationId: 'c-1',
        data: { reason: 'why not' },
        hash,
      },
    ]);
    expect(call?.body.resourceLogs[0]?.scopeLogs[0]?.logRecords[0]).toMatchObject({
      timeUnixNano: '1767323045678901000',
      eventName: 'approval.approved',
      severityNumber: 9,
      attributes: expect.arrayContaining([
        { key: 'audit.number', value: { intValue: '1' } },
        { key: 'audit.actor', value: { stringValue: 'telegram:1' } },
      ]) as unknown,
    });
  });

  it('sends all of a long log once, in order and in batches, and goes on with what comes later', async () => {
    await sealed(950);
    const { events } = start(collector.url);
    await streamedUpTo(950);
    await sealed(1);
    await streamedUpTo(951);
    expect(collector.taken.map(({ number }) => number)).toEqual(upTo(951));
    expect(Math.max(...collector.calls.map(({ rows }) => rows.length))).toBe(200);
    expect(events.reduce((sum, event) => sum + (event as AuditStreamed).rows, 0)).toBe(951);
  });

  it('never skips a row whose transaction commits after one with a higher number', async () => {
    await write([1, 3]);
    await seal();
    start(collector.url);
    await streamedUpTo(2);
    await write([2]);
    await seal();
    await streamedUpTo(3);
    expect(collector.taken.map(({ number, seq }) => [number, seq])).toEqual([
      [1, 1],
      [2, 3],
      [3, 2],
    ]);
  });

  it('waits for the seal: a row without one is not sent', async () => {
    await write([1, 2]);
    await seal();
    await write([3]);
    start(collector.url);
    await streamedUpTo(2);
    expect(collector.numbers()).toEqual([1, 2]);
  });

  it.each([
    ['is overloaded', refuse(503)],
    ['limits the rate', refuse(429, { 'retry-after': '1' })],
    ['does not know the key', refuse(401)],
    ['breaks off in its answer, though it took the rows', breakOff],
    ['redirects', refuse(307, { location: 'http://127.0.0.1:1/' })],
    [
      'is a login page of something else',
      (response: Parameters<typeof breakOff>[0]) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
        return false;
      },
    ],
  ])('sends the rows again when the endpoint %s', async (_case, behaviour) => {
    await sealed(3);
    collector.next(behaviour);
    const { events } = start(collector.url);
    await streamedUpTo(3);
    expect(collector.calls.length).toBe(2);
    expect(collector.numbers()).toEqual([1, 2, 3]);
    expect(events.filter((event) => event instanceof AuditStreamFailed)).toHaveLength(1);
  });

  it('gives up on an endpoint that never answers, tells once, and sends all when it is back', async () => {
    await sealed(3);
    collector.next(stall);
    const { events } = start(collector.url);
    await streamedUpTo(3);
    expect(events).toContainEqual(new AuditStreamFailed('timeout'));
    // The rows that it took without saying so arrived twice, with the same numbers and hashes.
    expect(collector.taken).toHaveLength(6);
    expect(new Set(collector.taken.map(({ number, hash }) => `${number} ${hash}`)).size).toBe(3);
  });

  it('logs the first failure only, without the secret, and the recovery', async () => {
    await sealed(1);
    collector.always(refuse(403));
    start(collector.url, { AUDIT_STREAM_HEADERS: 'Authorization=Bearer%20canary-of-the-siem' });
    await until('it was refused twice', () => collector.calls.length >= 2);
    collector.always((response) => {
      response.end();
      return true;
    });
    await streamedUpTo(1);
    await until('the recovery is told', () => told('audit.stream-recovered').length === 1);
    expect(told('audit.stream-failed')).toMatchObject([
      { level: 'error', error: 'the endpoint answered 403' },
    ]);
    expect(rawLog.join('')).not.toContain('canary-of-the-siem');
  });

  it('narrows a batch down to the one row that the collector rejects, names it, and goes on', async () => {
    await sealed(40);
    collector.always(rejectRows(({ number }) => number === 17));
    const { events } = start(collector.url);
    await streamedUpTo(40);
    expect(collector.numbers()).toEqual(upTo(40).filter((number) => number !== 17));
    expect(told('audit.stream-row-refused')).toMatchObject([{ level: 'error', number: 17, seq: 17 }]);
    expect(events).toContainEqual(new AuditStreamFailed('refused'));
  });

  it('sends fewer rows at a time to an endpoint that finds them too many', async () => {
    await sealed(40);
    collector.always((response, call) =>
      call.rows.length > 8 ? refuse(413)(response, call) : rejectRows(() => false)(response, call),
    );
    start(collector.url);
    await streamedUpTo(40);
    expect(collector.taken.map(({ number }) => number)).toEqual(upTo(40));
    expect(told('audit.stream-failed')).toEqual([]);
  });

  it('is down when nobody listens, and holds back neither the shutdown nor the rows', async () => {
    await sealed(2);
    const { stop, events } = start('http://127.0.0.1:9/v1/logs');
    await until('it failed', () => events.length > 0);
    await stop();
    expect(events[0]).toEqual(new AuditStreamFailed('unreachable'));
    start(collector.url);
    await streamedUpTo(2);
    expect(collector.numbers()).toEqual([1, 2]);
  });
});

describe('with several replicas', () => {
  it('has one stream, another when the first one stops, and moves the cursor only for the holder', async () => {
    await sealed(2);
    const first = start(collector.url);
    await streamedUpTo(2);
    const second = start(collector.url);
    expect(await second.leases.replaceData('audit-stream', '2', '999')).toBe(false);
    expect(await first.leases.replaceData('audit-stream', '1', '999')).toBe(false);
    await first.stop();
    await sealed(2);
    await streamedUpTo(4);
    expect(collector.taken.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(second.events).toEqual([new AuditStreamed(2)]);
  });

  it('lets another replica try after a failure', async () => {
    await sealed(1);
    const cut = start('http://127.0.0.1:9/v1/logs');
    await until('its way is cut', () => cut.events.length > 0);
    start(collector.url);
    await streamedUpTo(1);
  });
});

describe('to a file', () => {
  let file: string;
  beforeEach(() => {
    file = join(temporaryDirectory(), 'siem', 'audit.jsonl');
  });

  it('writes a line a row, readable by its owner only', async () => {
    await sealed(3);
    start(`file:${file}`);
    await streamedUpTo(3);
    expect(rowsIn(file).map(({ number, type }) => [number, type])).toEqual(
      upTo(3).map((number) => [number, 'approval.approved']),
    );
    expect(execFileSync('stat', ['-c', '%a', file], { encoding: 'utf8' }).trim()).toBe('600');
  });

  it('goes on in a new file after a rename, and from the start of the file after it was cut', async () => {
    await sealed(2);
    start(`file:${file}`);
    await streamedUpTo(2);
    renameSync(file, `${file}.1`);
    await sealed(2);
    await streamedUpTo(4);
    truncateSync(file);
    await sealed(1);
    await streamedUpTo(5);
    expect(rowsIn(`${file}.1`).map(({ number }) => number)).toEqual([1, 2]);
    expect(rowsIn(file).map(({ number }) => number)).toEqual([5]);
  });

  it('begins a new line after one that a crash cut short', async () => {
    mkdirSync(join(file, '..'));
    writeFileSync(file, '{"number":1,"se');
    await sealed(1);
    start(`file:${file}`);
    await streamedUpTo(1);
    const [cut, whole] = readFileSync(file, 'utf8').split('\n');
    expect(cut).toBe('{"number":1,"se');
    expect(JSON.parse(whole ?? '')).toMatchObject({ number: 1 });
  });

  it.each([
    ['is a directory', (path: string) => mkdirSync(path, { recursive: true })],
    [
      'is a pipe that nobody reads',
      (path: string) => {
        mkdirSync(join(path, '..'));
        execFileSync('mkfifo', [path]);
      },
    ],
  ])('sends nothing while the path %s, and all once it is a file', async (_case, obstruct) => {
    obstruct(file);
    await sealed(2);
    const { events } = start(`file:${file}`);
    await until('it failed', () => events.length > 0);
    expect(events[0]).toEqual(new AuditStreamFailed('unwritable'));
    expect(await cursor()).toBe('{}');
    rmSync(file, { recursive: true });
    await streamedUpTo(2);
    expect(rowsIn(file).map(({ number }) => number)).toEqual([1, 2]);
  });

  it('leaves the rest of a file that others append to as it is', async () => {
    mkdirSync(join(file, '..'));
    appendFileSync(file, 'theirs\n');
    await sealed(1);
    start(`file:${file}`);
    await streamedUpTo(1);
    expect(readFileSync(file, 'utf8')).toMatch(/^theirs\n\{"number":1,.*\}\n$/);
  });
});

it('writes whole lines to the standard output, between those of the log', async () => {
  await sealed(2);
  start('stdout');
  await streamedUpTo(2);
  const lines = rawLog
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('{"number"'));
  expect(lines.map((line) => (JSON.parse(line) as StreamedRow).number)).toEqual([1, 2]);
});

describe('in an altered or a pruned log', () => {
  it('shows a row that was removed under its seal', async () => {
    await sealed(3);
    await database.query('delete from audit_log where seq = 2');
    start(collector.url);
    await streamedUpTo(3);
    expect(collector.taken[1]).toMatchObject({ number: 2, seq: 2, missing: true });
  });

  it('says which rows were removed before they were streamed', async () => {
    await sealed(2);
    const first = start(collector.url);
    await streamedUpTo(2);
    await first.stop();
    await sealed(4);
    await database.query('delete from audit_seals where number in (3, 4)');
    start(collector.url);
    await streamedUpTo(6);
    expect(told('audit.stream-gap')).toMatchObject([{ level: 'warn', from: 3, to: 4 }]);
    expect(collector.numbers()).toEqual([1, 2, 5, 6]);
  });

  it('removes no row past its time before it was streamed, unless nothing is streamed', async () => {
    await sealed(3);
    await database.query(`update audit_log set at = now() - interval '90 days'`);
    await store.recordCheckpoint(await store.lastSeal(), 'jws');
    const retention = new RetentionStore(pool.database);
    expect(await retention.pruneAudit(30, true)).toEqual({ removed: 0, more: false, held: true });
    start(collector.url);
    await streamedUpTo(3);
    expect(await retention.pruneAudit(30, true)).toEqual({ removed: 3, more: true, held: false });
    await sealed(1);
    await database.query(`update audit_log set at = now() - interval '90 days'`);
    await store.recordCheckpoint(await store.lastSeal(), 'jws');
    expect(await retention.pruneAudit(30, false)).toMatchObject({ removed: 1, held: false });
  });
});

it('counts the rows that wait, and the age of the oldest, until they are taken', async () => {
  await sealed(3);
  const backlog = new BacklogStore(pool.database);
  const { auditStreamLagRows, auditStreamLagSeconds } = await backlog.count();
  expect(auditStreamLagRows).toBe(3);
  expect(auditStreamLagSeconds).toBeGreaterThan(86_400);
  start(collector.url);
  await streamedUpTo(3);
  expect(await backlog.count()).toMatchObject({ auditStreamLagRows: 0, auditStreamLagSeconds: 0 });
});
