import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { cli, type Said } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';
import { OPERATOR_KEY } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let api: Api;
let directory: string;

beforeAll(async () => {
  database = await createTestDatabase();
  directory = temporaryDirectory();
  app = await startTestApp(database.url, { DATA_DIR: directory });
  api = new Api(app.url);
});
afterAll(async () => {
  await cleanUp();
  await app.close();
  await database.drop();
});

const inDirectory = (name: string): string => join(directory, name);
const NOWHERE = { COUNTERSIGN_URL: 'http://127.0.0.1:9', COUNTERSIGN_KEY: '' };
const asOperator = (...args: string[]): Promise<Said> =>
  cli(args, { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: OPERATOR_KEY });

async function decided(): Promise<string> {
  const { body } = await api.enqueue({ agentId: 'claude\u202ecode' });
  return (await api.decide(body.id, 'approved')).body.receipt as string;
}

async function everythingSealed(): Promise<void> {
  await until('every row is sealed', async () => {
    const [row] = await database.query<{ open: number }>(
      `select ((select count(*) from audit_log) - (select count(*) from audit_seals))::int as open`,
    );
    return row?.open === 0;
  });
}

describe('countersign receipt verify', () => {
  it('asks the service for its keys, or does without it', async () => {
    const file = inDirectory('receipt.jws');
    writeFileSync(file, `${await decided()}\n`);
    const online = await cli(['receipt', 'verify', file], { COUNTERSIGN_URL: app.url });
    expect(online).toMatchObject({
      code: 0,
      out: expect.stringMatching(/genuine: approved by bootstrap-operator/) as string,
    });
    expect(online.out).toContain('claude\\u{202e}code');
    const keys = inDirectory('jwks.json');
    writeFileSync(keys, await (await fetch(`${app.url}/.well-known/jwks.json`)).text());
    const offline = await cli(['receipt', 'verify', file, '--jwks', keys, '--json'], NOWHERE);
    expect(offline.code).toBe(0);
    expect(JSON.parse(offline.out)).toMatchObject({ ok: true, claims: { status: 'approved' } });
  });

  it('exits with 1 for what is no receipt of ours, and with 2 when it cannot tell', async () => {
    const file = inDirectory('forged.jws');
    writeFileSync(file, (await decided()).replace(/\.[\w-]{10}/, '.AAAAAAAAAA'));
    const forged = await cli(['receipt', 'verify', file, '--json'], { COUNTERSIGN_URL: app.url });
    expect(forged.code).toBe(1);
    expect(JSON.parse(forged.out)).toMatchObject({ ok: false, claims: null });
    expect((await cli(['receipt', 'verify', file], NOWHERE)).code).toBe(2);
  });

  it('looks at the file before it asks anybody for keys', async () => {
    const file = inDirectory('letter.txt');
    writeFileSync(file, 'Dear Sir or Madam,\nthis is no receipt.\n');
    const { code, out } = await cli(['receipt', 'verify', file], NOWHERE);
    expect([code, out]).toEqual([1, expect.stringContaining('line 1: The receipt is refused') as string]);
    for (const missing of [inDirectory('missing'), '/nonexistent/receipt']) {
      const { code, err } = await cli(['receipt', 'verify', missing], NOWHERE);
      expect([code, err]).toEqual([
        2,
        expect.stringMatching(/^countersign: \/\S+ does not exist$/) as string,
      ]);
    }
  });
});

describe('countersign keys rotate-signing', () => {
  it('asks for new keys and writes down who did; old receipts stay valid', async () => {
    const file = inDirectory('before.jws');
    writeFileSync(file, await decided());
    const { code, out } = await cli(['keys', 'rotate-signing', '--json'], { DATABASE_URL: database.url });
    expect(code).toBe(0);
    const { retiring } = JSON.parse(out) as { retiring: string[] };
    expect(retiring).toHaveLength(1);
    const audited = await database.query(
      `select data from audit_log where type = 'signing-key.rotated' and actor like 'cli:%' and data like '%' || $1 || '%'`,
      [retiring[0]],
    );
    expect(audited).toHaveLength(1);
    expect((await cli(['receipt', 'verify', file], { COUNTERSIGN_URL: app.url })).code).toBe(0);
  });
});

describe('countersign audit', () => {
  it('verify reads the log of the service, and exits with 1 when it was altered', async () => {
    await decided();
    await everythingSealed();
    const held = await asOperator('audit', 'verify', '--json');
    expect(held.code).toBe(0);
    expect(JSON.parse(held.out)).toMatchObject({ ok: true, unsealed: 0, firstBad: null });
    await database.query(`update audit_log set actor = actor || 'x' where seq = 2`);
    const broken = await asOperator('audit', 'verify', '--json');
    await database.query(`update audit_log set actor = rtrim(actor, 'x') where seq = 2`);
    expect(broken.code).toBe(1);
    expect(JSON.parse(broken.out)).toMatchObject({ ok: false, firstBad: { seq: 2 } });
  });

  it('export writes a file that verifies without the service, and shows what is changed in it', async () => {
    const file = inDirectory('export.jsonl');
    expect((await asOperator('audit', 'export', file)).code).toBe(0);
    const verified = await cli(['audit', 'verify', '--file', file, '--json'], NOWHERE);
    expect(verified).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true });
    const lines = readFileSync(file, 'utf8').split('\n');
    const without = (keep: (line: string, i: number) => boolean) => {
      const changed = inDirectory('changed.jsonl');
      writeFileSync(changed, lines.filter(keep).join('\n'));
      return cli(['audit', 'verify', '--file', changed, '--json'], NOWHERE);
    };
    expect((await without((_line, i) => i !== 1)).code).toBe(1);
    const rows = lines.filter((line) => line.includes('"seal"')).length;
    const cut = await without((_line, i) => i !== rows - 1);
    expect(cut.code).toBe(1);
    expect(cut.out).toContain('end of the log is missing');
    expect(await asOperator('audit', 'export', file)).toMatchObject({
      code: 2,
      err: `countersign: ${file} exists already; choose another name`,
    });
  });

  it('verify vouches for no export that is cut short, or that says two things of one row', async () => {
    const file = inDirectory('told.jsonl');
    await asOperator('audit', 'export', file);
    const lines = readFileSync(file, 'utf8').split('\n');
    const changed = inDirectory('retold.jsonl');
    const verify = (text: string) => {
      writeFileSync(changed, text);
      return cli(['audit', 'verify', '--file', changed, '--json'], NOWHERE);
    };
    for (const kept of [0, 1, 2])
      expect(await verify(lines.slice(0, kept).join('\n'))).toMatchObject({
        code: 2,
        err: expect.stringMatching(/retold\.jsonl is cut short/) as string,
      });
    const [first = '', ...others] = lines;
    const twice = first.replace('"row":{', '"row":{"actor":"telegram:1",');
    expect(await verify([twice, ...others].join('\n'))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/retold\.jsonl, line 1: /) as string,
    });
  });

  it('verify takes checkpoints that were kept elsewhere', async () => {
    await decided();
    await decided();
    await everythingSealed();
    expect((await asOperator('audit', 'checkpoint')).code).toBe(0);
    const kept = inDirectory('kept.jsonl');
    writeFileSync(kept, readFileSync(inDirectory('audit-checkpoints.jsonl')));
    const file = inDirectory('again.jsonl');
    await asOperator('audit', 'export', file);
    const bare = inDirectory('bare.jsonl');
    const lines = readFileSync(file, 'utf8').split('\n');
    // As somebody delivers it who cut the end and left out what would tell.
    const rows = lines.filter((line) => line.includes('"seal"'));
    const keys = lines.filter((line) => line.includes('"keys"'));
    writeFileSync(bare, [...rows.slice(0, 2), ...keys].join('\n'));
    expect((await cli(['audit', 'verify', '--file', bare], NOWHERE)).code).toBe(0);
    expect((await cli(['audit', 'verify', '--file', bare, '--checkpoints', kept], NOWHERE)).code).toBe(1);
  });

  it('verify tells how many checkpoints fit, and how many rows follow the last one', async () => {
    await decided();
    await everythingSealed();
    expect((await asOperator('audit', 'checkpoint')).code).toBe(0);
    const verify = async (): Promise<Record<string, unknown>> => {
      const { out } = await asOperator('audit', 'verify', '--json');
      return JSON.parse(out) as Record<string, unknown>;
    };
    const covered = await verify();
    expect(covered).toMatchObject({ ok: true, uncovered: 0 });
    expect(covered.checkpoints).toBeGreaterThanOrEqual(1);
    await decided();
    await everythingSealed();
    const followed = await verify();
    expect(followed).toMatchObject({ ok: true, checkpoints: covered.checkpoints });
    expect(followed.uncovered).toBe(Number(followed.rows) - Number(covered.rows));
    const { out } = await asOperator('audit', 'verify');
    expect(out).toContain(`${String(covered.checkpoints)} checkpoints fit.`);
    expect(out).toContain(`${String(followed.uncovered)} rows follow the last checkpoint`);
    const { body } = await api.call<Record<string, unknown>>('operator', 'GET', '/api/audit/verify');
    expect(body).toMatchObject({ checkpoints: covered.checkpoints, uncovered: followed.uncovered });
  });

  it('verify vouches for nothing when the file of checkpoints has none', async () => {
    const file = inDirectory('whole.jsonl');
    await asOperator('audit', 'export', file);
    const none = inDirectory('none.jsonl');
    for (const text of ['', '{"checkpoint":null}\n', (await asOperator('audit', 'checkpoint')).out]) {
      writeFileSync(none, text);
      expect(await cli(['audit', 'verify', '--file', file, '--checkpoints', none], NOWHERE)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/none\.jsonl holds no checkpoint.*audit checkpoint --json/) as string,
      });
    }
  });

  it('checkpoint exports one on request, into the file', async () => {
    await decided();
    await everythingSealed();
    const { out } = await asOperator('audit', 'checkpoint');
    expect(readFileSync(inDirectory('audit-checkpoints.jsonl'), 'utf8')).toContain(out);
  });
});
