import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { UNSIGNED } from '../../src/approvals/approval-statements';
import { CancelApprovalCommand } from '../../src/approvals/commands/cancel-approval';
import type { KeySet } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Receipts } from '../../src/receipts/receipts';
import { SigningKeys } from '../../src/receipts/signing-keys';
import { SigningKeyStore } from '../../src/receipts/signing-key-store';
import { Api, type ApprovalJson } from '../support/api';
import { openTestApp } from '../support/open-app';
import { ownService } from '../support/own-service';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

const service = ownService();
afterEach(() => jest.restoreAllMocks());

const published = async (): Promise<KeySet> =>
  (await service.api.call<KeySet>(null, 'GET', '/.well-known/jwks.json')).body;

const asked = async (more: Record<string, unknown> = {}): Promise<ApprovalJson> =>
  (await service.api.enqueue(more)).body;

async function overdue(ids: readonly string[]): Promise<void> {
  await service.database.query(
    `update approvals set expires_at = now() - interval '1 second' where id = any($1)`,
    [ids],
  );
}

const receiptOf = (approval: ApprovalJson): string => approval.receipt as string;

const failures = async (): Promise<number> => {
  const text = await (await fetch(`${service.app.url}/metrics`)).text();
  return new Scrape(text).value('receipts_failures_total');
};

const withoutEntropy = (): never => {
  throw new Error('no entropy');
};

describe('a decision', () => {
  it('settles together with its receipt, which states exactly what was decided', async () => {
    const { id } = await asked({ cwd: '/srv' });
    const { body } = await service.api.decide(id, 'approved', 'fine');
    const rows = await service.database.query<{ xmin: string; receipt: string | null }>(
      `select xmin::text, null as receipt from approvals where id = $1
       union all select xmin::text, jws from receipts where approval_id = $1
       union all select xmin::text, null from audit_log where approval_id = $1 and type = 'approval.approved'`,
      [id],
    );
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBe(1);
    expect(rows.find(({ receipt }) => receipt !== null)?.receipt).toBe(body.receipt);
    const settledSeconds = Math.floor(Date.parse(body.settledAt ?? '') / 1000);
    expect(await readReceipt(receiptOf(body), await published())).toEqual({
      iss: 'countersign',
      aud: 'claude-code',
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      approvalId: id,
      agentId: 'claude-code',
      sessionId: 'session-1',
      toolName: 'Bash',
      inputDigest: body.inputDigest,
      displayDigest: null,
      status: 'approved',
      decidedBy: body.decision?.by,
      iat: settledSeconds,
      nbf: settledSeconds,
      exp: settledSeconds + 86_400,
      keyId: 'bootstrap-agent',
      keyOwner: null,
      policyVersion: null,
      rules: [],
      bindingVersion: 2,
    });
  });

  it('reaches the waiter with its receipt', async () => {
    const { id } = await asked();
    const waiting = service.api.get(id, 30);
    await until('somebody waits', () => service.app.feed.size > 0);
    const { body } = await service.api.decide(id, 'rejected');
    expect((await waiting).body).toEqual(body);
    expect(receiptOf(body)).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  it('is neither made nor given when it cannot be signed, and can be made later', async () => {
    const { id } = await asked();
    const before = await failures();
    jest.spyOn(service.app.get(SigningKeys), 'sign').mockImplementationOnce(withoutEntropy);
    const refused = await service.api.decide(id, 'approved');
    expect(refused).toMatchObject({ status: 503, body: { code: 'receipt.unavailable' } });
    expect((await service.api.get(id)).body.status).toBe('pending');
    expect(await failures()).toBe(before + 1);
    expect(service.app.events.filter(({ event }) => event === 'receipts.failed').at(-1)).toMatchObject({
      level: 'error',
    });
    expect((await service.api.decide(id, 'approved')).body).toMatchObject({ status: 'approved' });
  });

  it('is refused when the request expires while its receipt is being signed', async () => {
    const { id } = await asked();
    const receipts = service.app.get(Receipts);
    const sign = receipts.sign.bind(receipts);
    jest.spyOn(receipts, 'sign').mockImplementationOnce(async (shown) => {
      await service.database.query(
        `update approvals set expires_at = now() - interval '1 second' where id = $1`,
        [id],
      );
      return sign(shown);
    });
    expect(await service.api.decide(id, 'approved')).toMatchObject({
      status: 409,
      body: { approval: { id, status: 'expired', receipt: expect.stringContaining('.') as string } },
    });
  });
});

describe('an ending that nobody decided', () => {
  it('has its receipt signed at the first read, once, and from then on the same for everybody', async () => {
    const { id } = await asked();
    await overdue([id]);
    await service.app.commands.execute(new CancelApprovalCommand({ cause: 'timeout', ids: [id] }));
    expect(await service.database.query(`select 1 from receipts where approval_id = $1`, [id])).toEqual([]);
    const reads = await Promise.all(Array.from({ length: 10 }, () => service.api.get(id)));
    const receipts = new Set(reads.map(({ body }) => receiptOf(body)));
    expect(receipts.size).toBe(1);
    expect(await readReceipt([...receipts][0] ?? '', await published())).toMatchObject({
      status: 'expired',
      decidedBy: null,
    });
  });

  it('of many requests gets them in one go when they are listed', async () => {
    const sessionId = 'many';
    const ids = await Promise.all(Array.from({ length: 60 }, async () => (await asked({ sessionId })).id));
    await overdue(ids);
    await service.app.sweeper.sweep();
    expect(await service.database.query(`select 1 from receipts where approval_id = any($1)`, [ids])).toEqual(
      [],
    );
    const page = await service.api.call<{ items: ApprovalJson[] }>(
      'agent',
      'GET',
      `/api/approvals?sessionId=${sessionId}&limit=200`,
    );
    expect(page.body.items).toHaveLength(60);
    const stored = await service.database.query<{ jws: string; xmin: string }>(
      `select jws, xmin::text from receipts where approval_id = any($1)`,
      [ids],
    );
    expect(new Set(page.body.items.map(receiptOf))).toEqual(new Set(stored.map(({ jws }) => jws)));
    expect(new Set(stored.map(({ xmin }) => xmin)).size).toBe(1);
  });

  it('is not told without its receipt', async () => {
    const { id } = await asked();
    await overdue([id]);
    // From before the sweep on: whoever else reads it then must not have it signed either.
    const sign = jest.spyOn(service.app.get(SigningKeys), 'sign').mockImplementation(withoutEntropy);
    await service.app.sweeper.sweep();
    expect(await service.api.get(id)).toMatchObject({ status: 503, body: { code: 'receipt.unavailable' } });
    sign.mockRestore();
    expect((await service.api.get(id)).body).toMatchObject({ status: 'expired' });
  });

  it('that nobody reads is signed once, whichever replica it ended on, as it would be for a reader', async () => {
    const agentId = 'age\u0000nt "one"';
    const [read, taken, left] = await Promise.all([
      asked(),
      asked({ toolName: '\u0000"tool' }),
      asked({ agentId }),
    ]);
    await overdue([read.id, left.id]);
    await service.app.sweeper.sweep();
    await service.app.store.cancel(
      taken.id,
      { kind: 'person', channel: 'api', id: 'k', name: 'k' },
      null,
      null,
    );
    const { body } = await service.api.get(read.id);
    const other = await openTestApp(service.database.url, { DATA_DIR: service.app.config.dataDir });
    try {
      // Two replicas at once, and a second time.
      for (let n = 0; n < 2; n++) await Promise.all([service.app.sweeper.sign(), other.sweeper.sign()]);
    } finally {
      await other.close();
    }
    const stored = await service.database.query<{ id: string; jws: string }>(
      `select approval_id as id, jws from receipts where approval_id = any($1)`,
      [[read.id, taken.id, left.id]],
    );
    const jwsOf = ({ id }: ApprovalJson) => stored.find((each) => each.id === id)?.jws ?? '';
    expect(jwsOf(read)).toBe(receiptOf(body));
    const keys = await published();
    expect(await readReceipt(jwsOf(taken), keys)).toMatchObject({
      ...{ status: 'cancelled', toolName: '\u0000"tool', decidedBy: null, inputDigest: taken.inputDigest },
      ...{ keyId: 'bootstrap-agent', keyOwner: null, sessionId: 'session-1', displayDigest: null },
    });
    expect(await readReceipt(jwsOf(left), keys)).toMatchObject({ agentId, status: 'expired' });
    expect(await service.database.query(UNSIGNED.text, [1])).toEqual([]);
  });

  it('that cannot be signed is signed later', async () => {
    const { id } = await asked();
    await overdue([id]);
    await service.app.sweeper.sweep();
    jest.spyOn(service.app.get(SigningKeys), 'sign').mockImplementation(withoutEntropy);
    await service.app.sweeper.sign();
    expect(service.app.events.some(({ event }) => event === 'sweep.sign-failed')).toBe(true);
    jest.restoreAllMocks();
    await service.app.sweeper.sign();
    expect(await service.database.query(`select 1 from receipts where approval_id = $1`, [id])).toHaveLength(
      1,
    );
  });

  it('taken back by its agent has one too', async () => {
    const { id } = await asked();
    const { body } = await service.api.cancel(id, 'no longer needed');
    expect(await readReceipt(receiptOf(body), await published())).toMatchObject({
      status: 'cancelled',
      decidedBy: null,
    });
  });
});

describe('the keys', () => {
  it('are public, may be cached for a minute, and hold nothing private', async () => {
    const answer = await service.api.call<KeySet>(null, 'GET', '/.well-known/jwks.json');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('json');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
    expect(answer.body.keys).toHaveLength(1);
    expect(Object.keys(answer.body.keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });

  it('the private one lies in DATA_DIR for its owner only, and is in no log', () => {
    const path = join(service.app.config.dataDir, 'signing-key.pem');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const [, secret = ''] = readFileSync(path, 'utf8').split('\n');
    expect(secret).toMatch(/^[A-Za-z0-9+/=]{60,}$/);
    expect(JSON.stringify(service.app.events)).not.toContain(secret);
    expect(inspect(service.app.get(SigningKeys), { depth: 10, showHidden: true })).not.toContain(secret);
  });

  it('rotate on every replica without a restart, and what the old ones signed stays verifiable', async () => {
    const other = await openTestApp(service.database.url);
    try {
      const before = (await service.api.decide((await asked()).id, 'approved')).body;
      const replicas = [service.app, other].map((replica) => replica.get(SigningKeys));
      const old = replicas.map(({ kid }) => kid);
      expect(new Set(await service.app.get(SigningKeyStore).retireAll('cli:test'))).toEqual(new Set(old));
      // Their time is up at once, so that nothing is waited for.
      await service.database.query(
        `update signing_keys set retired_at = date_trunc('seconds', now()) + interval '1 second'`,
      );
      await until('both have a successor', async () => {
        await Promise.all(replicas.map((keys) => keys.check()));
        return replicas.every(({ kid }, i) => kid !== old[i]);
      });
      const after = (await new Api(other.url).decide((await asked()).id, 'approved')).body;
      const keys = await until('the new keys are public', async () => {
        const set = await published();
        return set.keys.length === 4 && set;
      });
      for (const approval of [before, after])
        expect(await readReceipt(receiptOf(approval), keys)).toMatchObject({ approvalId: approval.id });
      expect(
        keys.keys
          .filter(({ exp }) => exp !== undefined)
          .map(({ kid }) => kid)
          .sort(),
      ).toEqual(old.sort());
    } finally {
      await other.close();
    }
  });
});
