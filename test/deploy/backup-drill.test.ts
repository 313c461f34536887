import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { Api } from '../support/api';
import { asked, HASTE } from '../support/chaos';
import { cli, type Said } from '../support/cli';
import { debianBinaries, startDebianPostgres, type DebianPostgres } from '../support/debian-postgres';
import {
  CHECKOUT,
  cleanUp,
  freePort,
  Program,
  Service,
  startSandboxProcess,
  temporaryDirectory,
} from '../support/processes';
import { SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';
import { OPERATOR_KEY, telegramEnvironment } from '../support/well-known';

const PASSWORDS = { OWNER_PASSWORD: 'owner-of-the-test', SERVICE_PASSWORD: 'service-of-the-test' };
/** Agents that ask and are decided while the dump is taken. */
const BUSY = 4;

/** A server with the database and the two roles that `deploy/postgres/roles.sql` makes. */
interface Site {
  readonly postgres: DebianPostgres;
  ownerUrl(database?: string): string;
  readonly serviceUrl: string;
}

let directory: string;
let chat: SandboxClient;
let production: Site;
let elsewhere: Site;
let service: Service;
let api: Api;

const within = (name: string): string => join(directory, name);
const psql = join(debianBinaries(), 'psql');

async function run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<Said> {
  const path = `${within('bin')}:${debianBinaries()}:${process.env.PATH ?? ''}`;
  const program = new Program(file, args, { PATH: path, ...env });
  const { code } = await program.ended;
  return { code, out: program.output.join('\n'), err: program.errors.join('\n') };
}

async function statement<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}

async function site(): Promise<Site> {
  const postgres = await startDebianPostgres();
  const roles = join(CHECKOUT, 'deploy/postgres/roles.sql');
  expect(await run(psql, ['-q', postgres.url, '-f', roles], PASSWORDS)).toMatchObject({ code: 0 });
  return {
    postgres,
    ownerUrl: (database = 'countersign') =>
      postgres.urlOf('countersign_owner', PASSWORDS.OWNER_PASSWORD, database),
    serviceUrl: postgres.urlOf('countersign', PASSWORDS.SERVICE_PASSWORD, 'countersign'),
  };
}

/** An empty database of the owner's on the second server. @returns its address. */
async function emptyDatabase(name: string): Promise<string> {
  await statement(elsewhere.postgres.url, `create database ${name} owner countersign_owner`);
  return elsewhere.ownerUrl(name);
}

const serviceEnvironment = (at: Site, dataDir: string): Record<string, string> => ({
  ...telegramEnvironment(chat.url),
  ...HASTE,
  // The load is more than a chat takes; what its cards say is looked at, and not when.
  TELEGRAM_BUDGET_PER_SECOND: '1000',
  TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: '10000',
  DATABASE_URL: at.serviceUrl,
  DATABASE_MIGRATION_URL: at.ownerUrl(),
  DATA_DIR: within(dataDir),
});

const drill = (backup: string, url: string): Promise<Said> =>
  run(join(CHECKOUT, 'deploy/postgres/backup-drill.sh'), [within(backup)], { DRILL_URL: url });

const backUp = (backup: string, env: Record<string, string> = {}): Promise<Said> =>
  run(join(CHECKOUT, 'deploy/postgres/backup.sh'), [within(backup)], {
    DATABASE_MIGRATION_URL: production.ownerUrl(),
    COUNTERSIGN_URL: service.url,
    COUNTERSIGN_KEY: OPERATOR_KEY,
    ...env,
  });

const verifyLog = (...args: string[]): Promise<Said> =>
  cli(['audit', 'verify', ...args], { COUNTERSIGN_URL: service.url, COUNTERSIGN_KEY: OPERATOR_KEY });

async function settled(): Promise<{ id: string; receipt: string }> {
  const { id } = await asked(api);
  return { id, receipt: String((await api.decide(id, 'approved')).body.receipt) };
}

beforeAll(async () => {
  directory = temporaryDirectory('countersign-drill-');
  mkdirSync(within('bin'));
  // The command as deployments have it on the path.
  writeFileSync(
    within('bin/countersign'),
    `#!/bin/sh\nexec node "${CHECKOUT}/dist/src/cli/countersign.js" "$@"\n`,
  );
  chmodSync(within('bin/countersign'), 0o755);
  [production, elsewhere] = await Promise.all([site(), site()]);
  const sandbox = await startSandboxProcess();
  chat = new SandboxClient(sandbox.url);
  await chat.liftLimits();
  service = await Service.start(serviceEnvironment(production, 'data'));
  api = new Api(service.url);
});
afterAll(cleanUp);

describe('a backup that was taken under load', () => {
  let pending: string;
  let decided: { id: string; receipt: string };
  let after: { id: string; receipt: string };

  it('is taken while every request is served', async () => {
    pending = (await asked(api)).id;
    await chat.card(pending);
    decided = await settled();
    let over = false;
    let served = 0;
    const load = Promise.all(
      Array.from({ length: BUSY }, async () => {
        while (!over) {
          await settled();
          served++;
        }
      }),
    );
    await until('the load is on, and its log is being sealed', async () => {
      const { body } = await api.call<{ sealedUpTo: number | null }>('operator', 'GET', '/api/audit/verify');
      return served >= BUSY && Number(body.sealedUpTo) > BUSY;
    });
    const before = served;
    expect(await backUp('backup')).toMatchObject({
      code: 0,
      out: expect.stringContaining('bytes') as string,
      err: '',
    });
    expect(served).toBeGreaterThan(before);
    over = true;
    await load;
    after = await settled();
    expect(await backUp('backup')).toMatchObject({ code: 1 });
  });

  it('passes the drill on another server: restored, chain and receipts verified, at work', async () => {
    const url = await emptyDatabase('drill');
    const { code, out, err } = await drill('backup', url);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Restored in \d+ s: \d+ requests, \d+ of them pending\.$/m);
    expect(out).toMatch(/^The audit log holds: \d+ rows under seal, \d+ checkpoints fit\.$/m);
    expect(out).toMatch(/^All \d+ receipts are genuine\.$/m);
    expect(out).toMatch(/^The backup is good/m);
    // A drill speaks to nobody, and does nothing twice to the same database.
    expect(await drill('backup', url)).toMatchObject({
      code: 1,
      err: expect.stringContaining('empty') as string,
    });
    expect(await chat.cardsOf(pending)).toHaveLength(1);
  });

  it.each([
    [
      'whose log ends too early',
      `with gone as (
         delete from audit_seals where number >= (select min(number) from audit_checkpoints) returning seq)
       delete from audit_log where seq in (select seq from gone);
       delete from audit_checkpoints`,
      /does NOT hold.*(end of the log is missing|computed anew)/,
    ],
    [
      'in which a decision was changed',
      `update audit_log set actor = 'operator:somebody-else' where seq = 2`,
      /does NOT hold.*seq 2: the row or its seal was altered/,
    ],
    [
      'with a receipt that nobody signed',
      `update receipts set jws = (select jws from receipts order by approval_id desc limit 1) || 'AAAA'
       where approval_id = (select min(approval_id::text)::uuid from receipts)`,
      /^line \d+: /m,
    ],
  ])('does not pass it %s', async (_what, tampering, says) => {
    const [, name = ''] = /(\w+)$/.exec(_what) ?? [];
    const copy = await emptyDatabase(`altered_${name}`);
    const dump = within('backup/countersign.dump');
    const restored = await run('pg_restore', ['--no-owner', '--no-privileges', '--dbname', copy, dump]);
    expect(restored).toMatchObject({ code: 0 });
    await statement(copy, tampering);
    mkdirSync(within(name));
    cpSync(within('backup/checkpoint.jsonl'), within(`${name}/checkpoint.jsonl`));
    const to = within(`${name}/countersign.dump`);
    expect(await run('pg_dump', ['--format=custom', `--file=${to}`, copy])).toMatchObject({ code: 0 });
    const { code, out } = await drill(name, await emptyDatabase(`drill_${name}`));
    expect(out).toMatch(says);
    expect(code).toBe(1);
  });

  it('cannot tell without a checkpoint, as when the service was down, and passes with one that was kept', async () => {
    const kept = readFileSync(within('data/audit-checkpoints.jsonl'), 'utf8').trimEnd().split('\n').at(-1);
    const down = { COUNTERSIGN_URL: `http://127.0.0.1:${await freePort()}` };
    expect(await backUp('bare', down)).toMatchObject({
      code: 0,
      err: expect.stringContaining('bare/checkpoint.jsonl') as string,
    });
    expect(await drill('bare', await emptyDatabase('drill_bare'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('holds no checkpoint') as string,
    });
    writeFileSync(within('bare/checkpoint.jsonl'), `${kept}\n`);
    expect(await drill('bare', await emptyDatabase('drill_kept'))).toMatchObject({ code: 0, err: '' });
  });

  it('is what the service goes on from when the database is lost: old cards decide, old receipts verify, the log goes on', async () => {
    await service.stop();
    await production.postgres.stop();
    const dump = within('backup/countersign.dump');
    const restoring = ['--no-owner', '--no-privileges', '--single-transaction', '--exit-on-error'];
    expect(await run('pg_restore', [...restoring, '--dbname', elsewhere.ownerUrl(), dump])).toMatchObject({
      code: 0,
    });
    const environment = serviceEnvironment(elsewhere, 'data-elsewhere');
    const early = Service.launch({ ...environment, DATABASE_MIGRATION_URL: '' });
    expect(await early.ended).toMatchObject({ code: 1 });
    expect(early.errors.join('\n')).toMatch(
      /role countersign has no rights.*run the migrations as the owner/,
    );
    const { DATABASE_URL = '', DATABASE_MIGRATION_URL = '', DATA_DIR = '' } = environment;
    expect(
      await run(process.execPath, [join(CHECKOUT, 'dist/src/database/migrate.js'), 'up'], {
        DATABASE_URL,
        DATABASE_MIGRATION_URL,
        DATA_DIR,
      }),
    ).toMatchObject({ code: 0, out: 'The schema is up to date.' });
    service = await Service.start({ ...environment, DATABASE_MIGRATION_URL: '' });
    api = new Api(service.url);

    const waiting = api.get(pending, 55);
    const card = await chat.card(pending);
    expect(await chat.press(card.messageId, 'Approve')).toMatchObject({ showAlert: false });
    expect((await waiting).body.status).toBe('approved');
    await chat.card(pending, 0);
    await settled();

    writeFileSync(within('receipts'), `${decided.receipt}\n`);
    const url = { COUNTERSIGN_URL: service.url };
    expect(await cli(['receipt', 'verify', within('receipts')], url)).toMatchObject({ code: 0 });
    expect(await verifyLog('--checkpoints', within('backup/checkpoint.jsonl'))).toMatchObject({ code: 0 });

    // What was committed after the backup is gone, and the checkpoints that were kept of it say so.
    expect((await api.get(after.id)).status).toBe(404);
    const kept = within('data/audit-checkpoints.jsonl');
    expect(readFileSync(kept, 'utf8').split('\n').length).toBeGreaterThan(2);
    const lost = await verifyLog('--checkpoints', kept);
    expect(lost.code).toBe(1);
    expect(lost.out).toMatch(/does NOT hold/);
  });
});
