import { appendFileSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { sealHash } from '../../../src/audit/audit-chain';
import { checkpointLines } from '../../../src/audit/audit-checkpoint';
import type { Verified } from '../../../src/audit/audit-verification';
import { NOTHING_BEFORE, type AuditRow, type SealedRow } from '../../../src/audit/seal';
import { Api } from '../../support/api';
import { startTestApp, type TestApp } from '../../support/app';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { cleanUp, temporaryDirectory } from '../../support/processes';
import { until } from '../../support/until';

const WRITERS = 100;

let database: TestDatabase;
let app: TestApp;
let api: Api;
let service: Client;
let checkpointFile: string;
let environment: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  const dataDir = temporaryDirectory();
  checkpointFile = join(dataDir, 'audit-checkpoints.jsonl');
  environment = {
    DATABASE_MIGRATION_URL: database.url,
    DATA_DIR: dataDir,
    RATE_LIMIT_AGENT_PER_MINUTE: '100000',
    RATE_LIMIT_OPERATOR_PER_MINUTE: '100000',
  };
  app = await startTestApp(database.serviceUrl, environment);
  api = new Api(app.url);
  service = new Client({ connectionString: database.serviceUrl });
  await service.connect();
});
afterAll(async () => {
  await service.end();
  await app.close();
  await database.drop();
  await cleanUp();
});

type Sealed = SealedRow & { readonly row: AuditRow };

async function verify(): Promise<Verified> {
  const { status, body } = await api.call<Verified>('operator', 'GET', '/api/audit/verify');
  expect(status).toBe(200);
  return body;
}

async function everythingSealed(): Promise<void> {
  await until('every row is sealed', async () => {
    const [row] = await database.query<{ open: number }>(
      `select ((select count(*) from audit_log) - (select count(*) from audit_seals))::int as open`,
    );
    return row?.open === 0;
  });
}

async function exportCheckpoint(): Promise<void> {
  const { body } = await api.call<{ checkpoint: string }>('operator', 'POST', '/api/audit/checkpoints');
  expect(readFileSync(checkpointFile, 'utf8')).toContain(body.checkpoint);
}

async function chain(): Promise<Sealed[]> {
  const { body } = await api.call<{ items: Sealed[] }>('operator', 'GET', '/api/audit/sealed?limit=1000');
  return body.items;
}

/** Rows that return to the log enter the queue again, so that it comes after the log. */
const AUDIT_TABLES = ['audit_log', 'audit_seals', 'audit_checkpoints', 'audit_unsealed'];

/** Does to the log what the owner of the database could, and undoes it after the check. */
async function altered(statements: readonly string[], check: () => Promise<void>): Promise<void> {
  for (const table of AUDIT_TABLES)
    await database.query(`create temporary table ${table}_kept as select * from ${table}`);
  try {
    for (const statement of statements) await database.query(statement);
    await check();
  } finally {
    // At once: the sealer must not see the log without its seals.
    await database.query('begin');
    await database.query('delete from audit_unsealed');
    for (const table of AUDIT_TABLES) {
      await database.query(`delete from ${table}`);
      await database.query(`insert into ${table} overriding system value select * from ${table}_kept`);
      await database.query(`drop table ${table}_kept`);
    }
    await database.query('commit');
  }
}

const bad = (reason: RegExp, seq: unknown = expect.any(Number)) => ({
  ok: false,
  firstBad: { seq, reason: expect.stringMatching(reason) as string },
});

describe('19. the audit log shows alteration', () => {
  it('with 100 parallel writers every row is sealed, exactly once, and verifies', async () => {
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, i) => {
        const { body } = await api.enqueue({ sessionId: `writer-${i}` });
        if (i % 2 === 0) await api.decide(body.id, i % 4 === 0 ? 'approved' : 'rejected');
      }),
    );
    await everythingSealed();
    const verified = await verify();
    expect(verified).toMatchObject({ ok: true, unsealed: 0, firstBad: null });
    expect(verified.rows).toBeGreaterThanOrEqual(WRITERS * 1.5);
  });

  it('a sealer that another one overtook reads the chain anew: nothing is sealed twice, and what follows is sealed', async () => {
    await api.enqueue();
    await everythingSealed();
    const last = (await chain()).at(-1)?.seal;
    if (!last) throw new Error('nothing is sealed');
    await database.query('begin');
    const [row] = await database.query<AuditRow>(
      `insert into audit_log (at, type, actor, data) values (now(), 'test', 'another sealer', '{}')
       returning seq::int, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, type, actor,
         approval_id as "approvalId", correlation_id as "correlationId", data`,
    );
    if (!row) throw new Error('no row was written');
    const hash = sealHash(last.number + 1, last.hash, row);
    await database.query(`insert into audit_seals (number, seq, previous, hash) values ($1, $2, $3, $4)`, [
      last.number + 1,
      row.seq,
      last.hash,
      hash,
    ]);
    await database.query('commit');
    await until('it notices', () => app.events.some(({ event }) => event === 'audit.sealer-overtaken'));
    await api.enqueue();
    await everythingSealed();
    expect(await verify()).toMatchObject({ ok: true, unsealed: 0 });
  });

  it('a row that commits after later ones is sealed after them, and none is left out', async () => {
    await service.query('begin');
    const inserted = await service.query<{ seq: string }>(
      `insert into audit_log (at, type, actor, data) values (date_trunc('milliseconds', now()), 'test', 'test:1', '{}')
       returning seq`,
    );
    const seq = Number(inserted.rows[0]?.seq);
    await api.enqueue();
    await until('a later row is sealed', async () => (await chain()).some(({ seal }) => seal.seq > seq));
    await service.query('commit');
    await everythingSealed();
    const seals = (await chain()).map(({ seal }) => seal);
    expect(seals.at(-1)).toMatchObject({ seq });
    expect(seals.map(({ number }) => number)).toEqual(seals.map((_, i) => i + 1));
    expect(await verify()).toMatchObject({ ok: true, unsealed: 0 });
  });

  it.each([
    'update audit_log set data = data',
    'delete from audit_log',
    'truncate audit_log',
    'update audit_seals set hash = hash',
    'delete from audit_seals',
    'truncate audit_seals',
    'delete from audit_checkpoints',
    'update receipts set jws = jws',
    'alter table audit_log add column more text',
  ])('the role of the service may not: %s', async (statement) => {
    await expect(service.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it.each([
    ['what happened', `data = '{"name":"nobody"}'`],
    ['one space in what happened', `data = replace(data, ':', ': ')`],
    ['who did it', `actor = 'telegram:2'`],
    ['when, by a microsecond', `at = at + interval '1 microsecond'`],
    [
      'its kind',
      `type = case type when 'approval.rejected' then 'approval.approved' else 'approval.rejected' end`,
    ],
    ['which request', `approval_id = null`],
    ['its correlation', `correlation_id = 'x'`],
  ])('an update of %s is found, and the row is named', async (_what, change) => {
    const seq = (await chain())[20]?.row.seq;
    await altered([`update audit_log set ${change} where seq = ${seq}`], async () => {
      expect(await verify()).toMatchObject(bad(/altered/, seq));
    });
    expect(await verify()).toMatchObject({ ok: true });
  });

  it('a deleted row is named, and so is what follows one whose seal was deleted too', async () => {
    const [gone, next] = (await chain()).slice(30, 32).map(({ row }) => row.seq);
    const deletion = `delete from audit_log where seq = ${gone}`;
    await altered([deletion], async () => {
      expect(await verify()).toMatchObject(bad(/^the row is missing$/, gone));
    });
    await altered([deletion, `delete from audit_seals where seq = ${gone}`], async () => {
      expect(await verify()).toMatchObject(bad(/rows before it are missing/, next));
    });
  });

  it('a row put in where another was is no replacement', async () => {
    const seq = (await chain())[5]?.row.seq;
    const replacement = `insert into audit_log (seq, at, type, actor, data) overriding system value
      values (${seq}, now(), 'approval.approved', 'telegram:1', '{}')`;
    await altered([`delete from audit_log where seq = ${seq}`, replacement], async () => {
      expect(await verify()).toMatchObject(bad(/altered/, seq));
    });
  });

  it('a cut tail is found by the exported checkpoint, which names the last row there was', async () => {
    await exportCheckpoint();
    const last = (await chain()).at(-1)?.seal;
    const cut = `select seq from audit_seals where number > ${(last?.number ?? 0) - 5}`;
    await altered(
      [`delete from audit_log where seq in (${cut})`, `delete from audit_seals where seq in (${cut})`],
      async () => {
        expect(await verify()).toMatchObject(bad(/end of the log is missing/, last?.seq));
      },
    );
  });

  it('a log that was altered and hashed anew is caught by the exported checkpoint, and by nothing else', async () => {
    await exportCheckpoint();
    const rows = await chain();
    let previous = NOTHING_BEFORE;
    const anew = rows.map(({ seal: { number }, row }, i) => {
      const hash = sealHash(number, previous, i === 10 ? { ...row, actor: 'telegram:666' } : row);
      const statement = `update audit_seals set previous = '${previous}', hash = '${hash}' where number = ${number}`;
      previous = hash;
      return statement;
    });
    const forgery = `update audit_log set actor = 'telegram:666' where seq = ${rows[10]?.row.seq}`;
    await altered([forgery, ...anew, `delete from audit_checkpoints`], async () => {
      expect(await verify()).toMatchObject(bad(/computed anew/));
      const exported = readFileSync(checkpointFile);
      writeFileSync(checkpointFile, '');
      expect(await verify()).toMatchObject({ ok: true });
      writeFileSync(checkpointFile, exported);
    });
  });

  it('a checkpoint that we did not sign is as telling; a line that a crash cut short is not', async () => {
    const exported = readFileSync(checkpointFile, 'utf8');
    appendFileSync(checkpointFile, exported.slice(0, 100));
    expect(await verify()).toMatchObject({ ok: true });
    const forged = exported.replace(
      /\.([\w-]+)"/,
      (_all, signature: string) => `.${Array.from(signature).reverse().join('')}"`,
    );
    writeFileSync(checkpointFile, forged);
    expect(await verify()).toMatchObject(bad(/not signed by a known key/));
    writeFileSync(checkpointFile, exported);
  });

  it('a checkpoint behind a line that a crash cut short is on a line of its own', async () => {
    await api.enqueue();
    await everythingSealed();
    appendFileSync(checkpointFile, '{"checkpoint":"eyJ');
    const { body } = await api.call<{ checkpoint: string }>('operator', 'POST', '/api/audit/checkpoints');
    expect(checkpointLines(readFileSync(checkpointFile, 'utf8')).at(-1)).toBe(body.checkpoint);
  });

  it('a checkpoint that cannot be written says so, and is none', async () => {
    await api.enqueue();
    await everythingSealed();
    const exported = readFileSync(checkpointFile, 'utf8');
    rmSync(checkpointFile);
    mkdirSync(checkpointFile);
    const refused = await api.call<{ code: string }>('operator', 'POST', '/api/audit/checkpoints');
    expect([refused.status, refused.body.code]).toEqual([503, 'audit.checkpoint-unwritable']);
    rmdirSync(checkpointFile);
    writeFileSync(checkpointFile, exported);
    await exportCheckpoint();
  });

  it('a service that stops has sealed its last row, and leaves a checkpoint of it', async () => {
    await exportCheckpoint();
    await api.enqueue();
    await app.close();
    const [last] = await database.query<{ seq: string; number: string }>(
      `select (select max(seq) from audit_log) as seq, max(number) as number from audit_seals`,
    );
    const [, payload = ''] = (readFileSync(checkpointFile, 'utf8').trim().split('\n').at(-1) ?? '').split(
      '.',
    );
    const checkpoint = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    expect(checkpoint).toMatchObject({ seq: Number(last?.seq), number: Number(last?.number) });
    app = await startTestApp(database.serviceUrl, environment);
    api = new Api(app.url);
    expect((await verify()).ok).toBe(true);
  });

  it('is for operators, in pages, with hashes', async () => {
    expect((await api.call('agent', 'GET', '/api/audit')).status).toBe(403);
    expect((await api.call(null, 'GET', '/api/audit/verify')).status).toBe(401);
    expect((await api.call('operator', 'GET', '/api/audit?limit=0')).status).toBe(400);
    const { body } = await api.call<{ items: { seq: number; hash: string }[]; nextAfter: number }>(
      'operator',
      'GET',
      '/api/audit?limit=1',
    );
    expect(body).toMatchObject({
      items: [{ type: 'approval.enqueued', hash: expect.stringMatching(/^sha256:/) as string }],
      nextAfter: body.items[0]?.seq,
    });
  });

  it('old rows go through the owner’s function only, as far as a checkpoint covers them, and the rest verifies', async () => {
    const prune = async (before: string): Promise<number> => {
      const answer = await service.query<{ removed: string }>(
        `select removed from audit_prune(now() - $1::interval)`,
        [before],
      );
      return Number(answer.rows[0]?.removed);
    };
    await expect(prune('1 hour')).rejects.toMatchObject({ code: '22023' });
    expect(await prune('1 day')).toBe(0);
    await exportCheckpoint();
    const covered = (await chain()).length;
    await api.enqueue();
    await everythingSealed();
    // Only their age matters to the function, and it is the last thing that happens to them.
    await database.query(`
      update audit_log set at = at - interval '100 days'
      where seq in (select seq from audit_seals where number <= ${covered})`);
    let removed = 0;
    for (let batch = await prune('90 days'); batch > 0; batch = await prune('90 days')) removed += batch;
    expect(removed).toBe(covered);
    const [{ rest } = { rest: 0 }] = await database.query<{ rest: number }>(
      `select count(*)::int as rest from audit_log`,
    );
    expect(await verify()).toMatchObject({ ok: true, rows: rest });
    const exported = readFileSync(checkpointFile);
    writeFileSync(checkpointFile, '');
    await altered([`delete from audit_checkpoints`], async () => {
      expect(await verify()).toMatchObject(bad(/no checkpoint ends at/));
    });
    writeFileSync(checkpointFile, exported);
  });
});
