import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { examineAll } from '../../src/cli/doctor/examine';
import { parseConfig } from '../../src/config/environment';
import { canonicalize } from '../../src/kernel/canonical-json';
import type { JsonValue } from '../../src/kernel/json';
import { policyVersion } from '../../src/policy/document/read-policy';
import { SigningKey } from '../../src/receipts/signing-key';
import { Api } from '../support/api';
import { serviceEnvironment, startTestApp, type TestApp } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CLIENT, ForgingProvider } from '../support/openid-provider';
import { cleanUp, freePort, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

let database: TestDatabase;
let app: TestApp;
let dataDir: string;
let keyFile: string;
let approvalId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = temporaryDirectory();
  keyFile = join(dataDir, 'signing-key.pem');
  app = await startTestApp(database.url, { DATA_DIR: dataDir });
  const api = new Api(app.url);
  approvalId = (await api.enqueue()).body.id;
  await api.decide(approvalId, 'approved');
  await until('every row is sealed', async () => {
    const [row] = await database.query<{ open: number }>(
      `select ((select count(*) from audit_log) - (select count(*) from audit_seals))::int as open`,
    );
    return row?.open === 0;
  });
  // What is looked at stands still from here on.
  await app.close();
});
afterAll(async () => {
  await database.drop();
  await cleanUp();
});

/** The result of one check. */
async function diagnose(check: string, more: Record<string, string> = {}) {
  const notes: string[] = [];
  const env = serviceEnvironment(database.url, { DATA_DIR: dataDir, ...more });
  const findings = await examineAll(
    () => parseConfig(env),
    { url: `http://127.0.0.1:${await freePort()}` },
    (each) => {
      if (each.check === check) notes.push(each.note);
    },
  );
  return { note: notes.join(), findings: findings.filter((each) => each.check === check) };
}

/** Does it to the database, and undoes it. */
async function changed(change: string, undo: string, look: () => Promise<void>): Promise<void> {
  await database.query(change);
  await look().finally(() => database.query(undo));
}

const finding = (severity: string, message: RegExp, fix: RegExp) => [
  {
    severity,
    message: expect.stringMatching(message) as string,
    fix: expect.stringMatching(fix) as string,
  },
];

describe('the doctor’s look at the audit log', () => {
  it('reads all of it, and finds nothing where it holds', async () => {
    const { note, findings } = await diagnose('audit-chain');
    expect(findings).toEqual([]);
    expect(note).toMatch(/^[1-9]\d* rows hold, 0 not sealed yet$/);
  });

  it('names the row that was altered', async () => {
    const [row] = await database.query<{ seq: string; actor: string }>(
      `select seq, actor from audit_log where type = 'approval.approved'`,
    );
    expect(row).toBeDefined();
    await changed(
      `update audit_log set actor = 'telegram:666' where seq = ${row?.seq}`,
      `update audit_log set actor = '${row?.actor}' where seq = ${row?.seq}`,
      async () =>
        expect((await diagnose('audit-chain')).findings).toMatchObject(
          finding(
            'error',
            new RegExp(`seq ${row?.seq} on: the row or its seal was altered`),
            /CountersignAuditBroken/,
          ),
        ),
    );
  });

  it('holds it against the checkpoints that are outside the database', async () => {
    await changed(
      `create table kept as select * from audit_checkpoints; create table cut as select * from audit_seals;
       delete from audit_checkpoints; delete from audit_seals where number = (select max(number) from audit_seals)`,
      `insert into audit_checkpoints select * from kept; delete from audit_seals; insert into audit_seals select * from cut;
       drop table kept, cut`,
      async () =>
        expect((await diagnose('audit-chain')).findings).toMatchObject(
          finding('error', /the end of the log is missing/, /AUDIT_CHECKPOINT_FILE/),
        ),
    );
  });

  it('says that nobody seals', async () => {
    await changed(
      `insert into audit_log (at, type, actor, data) values (now() - interval '5 minutes', 'test', 'test:1', '{}')`,
      `delete from audit_log where type = 'test'`,
      async () =>
        expect((await diagnose('audit-chain')).findings).toMatchObject(
          finding('warning', /^1 rows have no seal yet, the oldest for 30\d s/, /CountersignAuditUnsealed/),
        ),
    );
  });
});

describe('the doctor’s look at the OpenID provider', () => {
  let provider: ForgingProvider;
  beforeAll(async () => (provider = await ForgingProvider.open()));
  afterAll(() => provider.close());

  const diagnoseAt = (OIDC_ISSUER: string) =>
    diagnose('openid-connect', { OIDC_ISSUER, OIDC_CLIENT_ID: CLIENT.id, OIDC_CLIENT_SECRET: CLIENT.secret });

  it('asks nothing where none is configured', async () => {
    expect(await diagnose('openid-connect')).toEqual({
      note: 'not configured here (OIDC_ISSUER is unset)',
      findings: [],
    });
  });

  it('says where it sends the browser back, and that nobody may come in', async () => {
    const { note, findings } = await diagnoseAt(provider.issuer);
    expect(note).toBe(`${provider.issuer}, back to loopback/console/oidc/callback`);
    expect(findings).toMatchObject(
      finding('warning', /names no person by `email`/, /"people" of the policy/),
    );
  });

  it('says that it is another issuer, and that it does not answer', async () => {
    const {
      findings: [other],
    } = await diagnoseAt(provider.issuer.replace('127.0.0.1', 'localhost'));
    expect(other).toMatchObject({
      severity: 'error',
      message: expect.stringMatching(/issuer does not match the expected issuer$/) as string,
    });
    const {
      findings: [away],
    } = await diagnoseAt(`http://127.0.0.1:${await freePort()}`);
    expect(away).toMatchObject({
      severity: 'error',
      message: expect.stringMatching(/ECONNREFUSED/) as string,
    });
  });
});

describe('the doctor’s look at the audit stream', () => {
  const AUDIT_STREAM = 'https://collector.example.com/v1/logs';

  it('asks nothing where none is configured', async () => {
    expect(await diagnose('audit-stream')).toEqual({
      note: 'not configured here (AUDIT_STREAM is unset)',
      findings: [],
    });
  });

  it('says how many rows wait for it, and how long', async () => {
    await changed(
      `update audit_log set at = at - interval '1 hour'`,
      `update audit_log set at = at + interval '1 hour'`,
      async () =>
        expect((await diagnose('audit-stream', { AUDIT_STREAM })).findings).toMatchObject(
          finding(
            'warning',
            /^AUDIT_STREAM has not taken [1-9]\d* rows, the oldest is 3\d{3} s old$/,
            /CountersignAuditNotStreamed/,
          ),
        ),
    );
  });

  it('finds nothing where all was taken', async () => {
    await changed(
      `insert into leases (name, holder, expires_at, data)
       select 'audit-stream', 'test', now(), max(number)::text from audit_seals`,
      `delete from leases where name = 'audit-stream'`,
      async () =>
        expect(await diagnose('audit-stream', { AUDIT_STREAM })).toEqual({
          note: '0 rows wait',
          findings: [],
        }),
    );
  });
});

describe('the doctor’s look at the policy', () => {
  const rules = [
    { id: 'read-git', decision: 'ask', match: { tool: ['Bash'] } },
    { id: 'never-met', decision: 'deny', match: { tool: ['Nothing'] } },
  ];
  const apply = async (document: object, daysAgo: number) => {
    const text = canonicalize(document as JsonValue);
    const version = policyVersion(document as JsonValue);
    await database.query(`insert into policy_versions values ($1, $2, $2, now()) on conflict do nothing`, [
      version,
      text,
    ]);
    await database.query(
      `insert into policy_activations (version, cause, actor, at)
       values ($1, 'apply', 'api:admin', now() - make_interval(days => $2))`,
      [version, daysAgo],
    );
    await database.query('update policy_state set active_version = $1', [version]);
    return version;
  };
  afterEach(async () => {
    await database.query(
      'update policy_state set active_version = null, stopped_at = null, stopped_by = null',
    );
    await database.query('delete from policy_activations');
    await database.query('delete from policy_versions');
    await database.query(`delete from replicas where id = 'old'`);
    await database.query('update approvals set policy = null');
  });

  it('says that none was applied', async () => {
    expect(await diagnose('policy')).toEqual({
      note: 'none was applied: every request asks a person',
      findings: [],
    });
  });

  it('finds nothing in one that was just applied, whatever matches it', async () => {
    const version = await apply({ version: 1, rules }, 1);
    expect(await diagnose('policy')).toEqual({ note: `${version.slice(0, 19)}… is active`, findings: [] });
  });

  it('names the rules that nothing matched for 30 days, shadowed ones that would have aside', async () => {
    await apply({ version: 1, rules }, 40);
    await apply({ version: 1, rules: [...rules, { id: 'new', decision: 'ask', match: { tool: ['X'] } }] }, 1);
    const dead = async () => (await diagnose('policy')).findings;
    expect(await dead()).toMatchObject(finding('warning', /in 30 days: read-git, never-met$/, /remove them/));
    await database.query(`update approvals set policy = '{"rules":["read-git"],"shadow":null}'`);
    expect(await dead()).toMatchObject(finding('warning', /in 30 days: never-met$/, /remove them/));
    await database.query(
      `update approvals set policy = '{"rules":["read-git"],"shadow":{"rules":["never-met"]}}'`,
    );
    expect(await dead()).toEqual([]);
  });

  it('says that this build cannot enforce it', async () => {
    await apply({ version: 1, rules: [{ id: 'a', decision: 'maybe', match: {} }] }, 1);
    expect((await diagnose('policy')).findings).toMatchObject(
      finding('error', /cannot enforce the active policy sha256:/, /rollback/),
    );
  });

  it('says who stopped it', async () => {
    await apply({ version: 1, rules }, 1);
    await database.query(`update policy_state set stopped_at = now(), stopped_by = 'telegram:4711'`);
    expect((await diagnose('policy')).findings).toMatchObject(
      finding('warning', /^telegram:4711 has stopped the rules/, /policy resume/),
    );
  });

  it('names a live replica that knows less of the policy', async () => {
    await apply({ version: 1, rules }, 1);
    await database.query(
      `insert into replicas (id, version, started_at, seen_at) values ('old', '0.0.1', now(), now() + interval '1 hour')`,
    );
    expect((await diagnose('policy')).findings).toMatchObject(
      finding('error', /^the replica old runs version 0.0.1/, /upgrade it/),
    );
  });

  it.each([
    ['that enforces an older version', 'sha256:old', '10 seconds', 1],
    ['that enforces none', 'none', '10 seconds', 1],
    ['whose heartbeat came with the change', 'sha256:old', '1 second', 0],
    ['of a build that reports no version', null, '10 seconds', 0],
  ])('names a live replica %s', async (_what, reported, seenAfter, count) => {
    await apply({ version: 1, rules }, 1);
    await database.query(`update policy_activations set at = now()`);
    await database.query('delete from replicas');
    await database.query(
      `insert into replicas (id, version, policy_level, policy_version, started_at, seen_at)
       values ('late', '0.1.0', 99, $1, now(), now() + $2::interval)`,
      [reported, seenAfter],
    );
    const { findings } = await diagnose('policy');
    expect(findings).toHaveLength(count);
    if (count > 0)
      expect(findings).toMatchObject(finding('error', /^the replica late still enforces/, /restart it/));
  });
});

describe('the doctor’s look at the signing key', () => {
  const pem = SigningKey.generate();

  it('finds nothing where the key is in use and the receipts verify', async () => {
    const { note, findings } = await diagnose('signing-key');
    expect(findings).toEqual([]);
    expect(note).toMatch(/signing-key\.pem; the newest 1 receipts looked at$/);
  });

  it.each([
    [
      'is not there',
      () => rmSync(keyFile),
      'warning',
      /is not there, and this installation has signed/,
      /bring it back/,
    ],
    [
      'cannot be read',
      () => writeFileSync(keyFile, 'rubbish'),
      'error',
      /nothing can be signed: .*PEM/,
      /openssl genpkey/,
    ],
    [
      'is another one',
      () => writeFileSync(keyFile, pem),
      'warning',
      /was never in use/,
      /restart the replicas/,
    ],
  ])('says what to do when the file %s', async (_what, harm, severity, message, fix) => {
    const kept = readFileSync(keyFile);
    harm();
    const { findings } = await diagnose('signing-key').finally(() =>
      writeFileSync(keyFile, kept, { mode: 0o600 }),
    );
    expect(findings).toMatchObject(finding(severity, message, fix));
    expect(JSON.stringify(findings)).not.toContain(pem.split('\n')[1]);
  });

  it('says what to do when APPROVAL_SIGNING_KEY is no key', async () => {
    const { findings } = await diagnose('signing-key', {
      APPROVAL_SIGNING_KEY: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    });
    expect(findings).toMatchObject(
      finding('error', /APPROVAL_SIGNING_KEY is not a private key/, /openssl genpkey/),
    );
  });

  it('notices receipts that nobody can verify', async () => {
    await changed(
      `create table kept as select * from signing_keys; update signing_keys set kid = 'another'`,
      `delete from signing_keys; insert into signing_keys select * from kept; drop table kept`,
      async () => {
        const { findings } = await diagnose('signing-key');
        expect(findings).toContainEqual(
          expect.objectContaining({
            severity: 'error',
            message: expect.stringContaining(`the receipt of ${approvalId} does not verify`) as string,
          }),
        );
      },
    );
  });

  it('notices that every replica has a key of its own', async () => {
    await changed(
      `insert into signing_keys (kid, public_key, published_at) values ('another', '${'A'.repeat(43)}', now())`,
      `delete from signing_keys where kid = 'another'`,
      async () =>
        expect((await diagnose('signing-key')).findings).toMatchObject(
          finding('warning', /^2 signing keys count as in use/, /one APPROVAL_SIGNING_KEY.*rotate-signing/),
        ),
    );
  });

  it('notices a key that others on the machine may read', async () => {
    chmodSync(keyFile, 0o644);
    const { findings } = await diagnose('keys').finally(() => chmodSync(keyFile, 0o600));
    expect(findings).toMatchObject(
      finding('warning', /signing-key\.pem can be read by others/, /^chmod 600 /),
    );
  });
});
