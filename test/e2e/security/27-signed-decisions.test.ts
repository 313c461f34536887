import type { ApprovalJson } from '../../support/api';
import { issueKey, keyIs } from '../../support/keys';
import { ownService } from '../../support/own-service';
import { until } from '../../support/until';
import { localhostOf, SoftPasskey, type Signature } from '../../support/passkeys';
import {
  DECISION,
  ENROLMENT,
  ENROLMENT_CONSENT,
  SIGN_IN,
  type DecisionStatement,
} from '../../../src/kernel/passkey-statement';
import { Passkeys } from '../../../src/people/passkeys/passkeys';
import { publicJwkOf } from '../../../src/people/passkeys/public-jwk';
import { keySetSchema } from '../../../src/receipts/key-set';
import { registrySchema, verifyAssertions } from '../../../src/receipts/verify-assertions';
import { readReceipt } from '../../../src/receipts/verify-receipt';

const service = ownService();

const POLICY = `
version: 1
people:
  olivia: { groups: [sre] }
  sam: { groups: [sre] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
  - id: both
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, destroy]] } }
    class: double
  - id: two
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, taint]] } }
    class: two
  - id: questions
    decision: ask
    match: { tool: [AskUserQuestion] }
    class: critical
  - id: explained
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, import]] } }
    class: explained
classes:
  two: { approvals: 2 }
  explained: { via: console, reason: required }
  critical: { via: console }
  double: { approvals: 2, via: console }
`;

interface Challenge {
  readonly inputDigest: string;
  readonly policyVersion: string | null;
  readonly person: string;
  readonly rpId: string;
  readonly nonce: string;
  readonly passkeys: string[];
}

/** A person at the page of the console, with a passkey in software. */
class Signer {
  private cookie = '';
  private secret = '1';

  constructor(
    readonly person: string,
    readonly passkey: SoftPasskey,
  ) {}

  get origin(): string {
    return localhostOf(service.app);
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says what the answer is
  async send<Got>(method: string, path: string, body?: unknown): Promise<{ status: number; body: Got }> {
    const answer = await fetch(`${this.origin}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        origin: this.origin,
        'x-countersign-console': this.secret,
        cookie: this.cookie,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const secret = answer.headers.get('x-countersign-console');
    if (secret !== null) {
      this.secret = secret;
      this.cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    }
    return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as Got };
  }

  async signIn(): Promise<{ nonce: string; assertion: Signature }> {
    const { body } = await this.send<{ rpId: string; nonce: string }>('POST', '/console/passkeys/sign-in');
    const assertion = this.passkey.sign({ purpose: SIGN_IN, ...body }, this.origin);
    const passkey = { nonce: body.nonce, assertion };
    expect((await this.send('POST', '/console/session', { passkey })).status).toBe(204);
    return passkey;
  }

  /** The statement of an approval of the request, as the page makes it. */
  async begin(id: string, more: Partial<DecisionStatement> = {}): Promise<DecisionStatement> {
    const { body: shown } = await this.send<{ displayDigest: string }>('GET', `/api/approvals/${id}/display`);
    const { body: challenge } = await this.send<Challenge>('GET', `/api/approvals/${id}/challenge`);
    const { inputDigest, policyVersion, person, rpId, nonce } = challenge;
    const said = { displayDigest: shown.displayDigest, verdict: 'approved', reason: null } as const;
    return {
      purpose: DECISION,
      approvalId: id,
      inputDigest,
      policyVersion,
      person,
      rpId,
      nonce,
      ...said,
      ...more,
    };
  }

  decide(id: string, statement: DecisionStatement, signature: Signature) {
    const { verdict: decision, reason, displayDigest, nonce } = statement;
    const body = { decision, reason, displayDigest, assertion: { nonce, ...signature } };
    return this.send<ApprovalJson & { code?: string }>('POST', `/api/approvals/${id}/decision`, body);
  }

  async approve(id: string) {
    const statement = await this.begin(id);
    return this.decide(id, statement, this.passkey.sign(statement, this.origin));
  }
}

async function signedIn(person: string): Promise<Signer> {
  const signer = new Signer(person, await new SoftPasskey().enrol(service.database, person));
  await signer.signIn();
  return signer;
}

let olivia: Signer;
let sam: Signer;
let key: string;
let admin: string;

async function apply(policy: string): Promise<void> {
  const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml' };
  const active = await fetch(`${service.app.url}/api/policy`, { headers });
  const { version } = (await active.json()) as { version: string | null };
  const condition = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
  const applied = await fetch(`${service.app.url}/api/policy`, {
    method: 'PUT',
    headers: { ...headers, ...condition },
    body: policy,
  });
  expect(await applied.text()).toContain('sha256:');
}

beforeAll(async () => {
  admin = await issueKey(service.database, 'admin', 'maria', 'maria');
  key = await issueKey(service.database, 'operator', 'olivia-laptop', 'olivia');
  for (const each of [admin, key]) await keyIs(true, service.app.url, each);
  await apply(POLICY);
  olivia = await signedIn('olivia');
  sam = await signedIn('sam');
});

/** As `countersign people export` writes it. */
async function exportedRegistry() {
  const all = await service.app.get(Passkeys).list();
  const passkeys = all.map(async ({ id, person, publicKey, createdAt, revokedAt }) => ({
    credentialId: id,
    person,
    publicKey: await publicJwkOf(publicKey),
    createdAt: createdAt.toISOString(),
    revokedAt: revokedAt?.toISOString() ?? null,
  }));
  return registrySchema.parse({ format: 'countersign-passkeys/1', passkeys: await Promise.all(passkeys) });
}

const ask = async (command = 'terraform apply') =>
  (await service.api.enqueue({ toolInput: { command }, cwd: '/srv/shop' })).body.id;
/** A proposal that waits for its second person. */
const propose = (person: string) =>
  service.database.query(
    `insert into policy_proposals (id, version, replaces, proposed_by, owner, created_at)
     select uuid_v7(now()), active_version, active_version, 'person:' || $1::text, $1, now() from policy_state`,
    [person],
  );
const statusOf = async (id: string) => (await service.api.get(id)).body.status;
const claimsOf = ({ receipt }: ApprovalJson) =>
  JSON.parse(Buffer.from(String(receipt).split('.')[1] ?? '', 'base64url').toString()) as {
    assertions?: { statement: DecisionStatement }[];
  };

it('an approval that the passkey of an eligible person signed counts, and its receipt carries the signature', async () => {
  const id = await ask();
  const { status, body } = await olivia.approve(id);
  expect([status, body.status]).toEqual([200, 'approved']);
  expect(body.decision?.by).toEqual({ kind: 'console', id: 'person:olivia', name: 'olivia' });
  expect(body).toMatchObject({ required: { via: 'console' } });
  const { assertions = [] } = claimsOf(body);
  expect(assertions.map(({ statement }) => statement)).toEqual([
    expect.objectContaining({ approvalId: id, person: 'olivia', verdict: 'approved', rpId: 'localhost' }),
  ]);
});

it('two people sign, and the receipt has both', async () => {
  const id = await ask('terraform destroy');
  expect((await olivia.approve(id)).body.status).toBe('pending');
  const { body } = await sam.approve(id);
  expect(body.status).toBe('approved');
  expect(claimsOf(body).assertions?.map(({ statement }) => statement.person)).toEqual(['olivia', 'sam']);
});

it('with the reason that the policy demands, the receipt verifies offline against the exported passkeys', async () => {
  const id = await ask('terraform import');
  const statement = await olivia.begin(id, { reason: 'the \u0000 “plan” is reviewed' });
  const { body } = await olivia.decide(id, statement, olivia.passkey.sign(statement, olivia.origin));
  const keys = keySetSchema.parse(await (await fetch(`${olivia.origin}/.well-known/jwks.json`)).json());
  const claims = await readReceipt(String(body.receipt), keys);
  expect(verifyAssertions(claims, await exportedRegistry())).toEqual(['olivia']);
});

it('every other channel approves nothing, and may reject', async () => {
  const id = await ask();
  const byKey = await fetch(`${service.app.url}/api/approvals/${id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'approved' }),
  });
  expect([byKey.status, ((await byKey.json()) as { code: string }).code]).toEqual([403, 'passkey.required']);
  const { displayDigest } = await olivia.begin(id);
  const unsigned = await olivia.send<{ code: string }>('POST', `/api/approvals/${id}/decision`, {
    decision: 'approved',
    displayDigest,
  });
  expect(unsigned.body.code).toBe('passkey.required');
  expect(await statusOf(id)).toBe('pending');
  const rejected = await fetch(`${service.app.url}/api/approvals/${id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'rejected' }),
  });
  expect(rejected.status).toBe(200);
});

it('a question is answered by nobody where only a passkey approves, and may be rejected', async () => {
  const options = ['yes', 'no'].map((label) => ({ label, description: label }));
  const questions = [{ question: 'Drop it?', header: 'db', multiSelect: false, options }];
  const { body: asked } = await service.api.enqueue({
    toolName: 'AskUserQuestion',
    toolInput: { questions },
    cwd: '/srv/shop',
  });
  const { displayDigest } = await olivia.begin(asked.id);
  const answer = { decision: 'approved', answers: { 'Drop it?': ['yes'] } };
  const path = `/api/approvals/${asked.id}/decision`;
  const byKey = await fetch(`${service.app.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(answer),
  });
  expect([byKey.status, ((await byKey.json()) as { code: string }).code]).toEqual([403, 'passkey.required']);
  expect((await olivia.send('POST', path, { ...answer, displayDigest })).status).toBe(403);
  expect(await statusOf(asked.id)).toBe('pending');
  expect((await olivia.send('POST', path, { decision: 'rejected', displayDigest })).status).toBe(200);
});

it('the database itself refuses an approval without a signature, whatever statement makes it', async () => {
  const id = await ask();
  await service.database.query(
    `insert into decisions (approval_id, by_kind, by_id, by_name, verdict, decided_at)
     values ($1, 'console', 'person:olivia', 'olivia', 'approved', now())`,
    [id],
  );
  const settle = service.database.query(
    `update approvals set status = 'approved', settled_at = now(), settled_by_kind = 'console',
       settled_by_id = 'person:olivia', settled_by_name = 'olivia' where id = $1`,
    [id],
  );
  await expect(settle).rejects.toThrow('0 of the required approvals');
});

describe('27: a passkey decision is bound to the exact action, so the service refuses', () => {
  const forgeries: readonly [string, (id: string) => Promise<{ status: number }>][] = [
    [
      'a signature over another request',
      async (id) => {
        const other = await olivia.begin(await ask());
        const { displayDigest } = await olivia.begin(id);
        const signature = olivia.passkey.sign(other, olivia.origin);
        return olivia.decide(id, { ...other, displayDigest }, signature);
      },
    ],
    [
      'a signature over another verdict',
      async (id) => {
        const statement = await olivia.begin(id);
        const signature = olivia.passkey.sign({ ...statement, verdict: 'rejected' }, olivia.origin);
        return olivia.decide(id, statement, signature);
      },
    ],
    [
      'a signature over another text of the page',
      async (id) => {
        const statement = await olivia.begin(id);
        const displayDigest = `sha256:${'0'.repeat(64)}`;
        return olivia.decide(
          id,
          statement,
          olivia.passkey.sign({ ...statement, displayDigest }, olivia.origin),
        );
      },
    ],
    [
      'a signature for another origin of the same host',
      async (id) => {
        const statement = await olivia.begin(id);
        return olivia.decide(id, statement, olivia.passkey.sign(statement, 'http://localhost:1'));
      },
    ],
    [
      'a signature without a verified user',
      async (id) => {
        const statement = await olivia.begin(id);
        return olivia.decide(id, statement, olivia.passkey.sign(statement, olivia.origin, { flags: 1 }));
      },
    ],
    [
      'the passkey of another person',
      async (id) => {
        const statement = await olivia.begin(id);
        return olivia.decide(id, statement, sam.passkey.sign(statement, olivia.origin));
      },
    ],
    [
      'a forged credential',
      async (id) => {
        const statement = await olivia.begin(id);
        const forged = {
          ...new SoftPasskey().sign(statement, olivia.origin),
          credentialId: olivia.passkey.credentialId,
        };
        return olivia.decide(id, statement, forged);
      },
    ],
    [
      'a signature that signed in',
      async (id) => {
        const statement = await olivia.begin(id);
        const { rpId, nonce } = statement;
        return olivia.decide(
          id,
          statement,
          olivia.passkey.sign({ purpose: SIGN_IN, rpId, nonce }, olivia.origin),
        );
      },
    ],
  ];

  it.each(forgeries)('%s', async (_, forge) => {
    const id = await ask();
    expect((await forge(id)).status).toBe(403);
    expect(await statusOf(id)).toBe('pending');
    const refused = await service.database.query(
      `select 1 from audit_log where approval_id = $1 and data like '%bad-signature%'`,
      [id],
    );
    expect(refused).toHaveLength(1);
  });

  it('a signature that was used before', async () => {
    const id = await ask('terraform destroy');
    const statement = await olivia.begin(id);
    const signature = olivia.passkey.sign(statement, olivia.origin);
    expect((await olivia.decide(id, statement, signature)).status).toBe(200);
    await olivia.send('DELETE', `/api/approvals/${id}/decision`);
    expect((await olivia.decide(id, statement, signature)).status).toBe(403);
    expect((await service.api.get(id)).body.decisions).toEqual([]);
  });
});

describe('a session alone makes no passkey for its person:', () => {
  const begin = async (signer: Signer, passkey = signer.passkey, purpose: string = ENROLMENT_CONSENT) => {
    const { body } = await signer.send<{ person: string; rpId: string; nonce: string }>(
      'POST',
      '/console/passkeys/consents',
    );
    const { person, rpId, nonce } = body;
    const statement = { purpose: purpose as typeof ENROLMENT_CONSENT, person, rpId, nonce };
    const consent = { nonce, ...passkey.sign(statement, signer.origin) };
    const started = await signer.send<{ nonce: string }>('POST', '/console/passkeys/enrolments', { consent });
    return { ...started, consent, person, rpId };
  };
  const finish = (signer: Signer, { person, rpId, body }: Awaited<ReturnType<typeof begin>>) => {
    const { nonce } = body;
    const statement = { purpose: ENROLMENT, person, rpId, nonce } as const;
    const credential = new SoftPasskey().create(statement, signer.origin);
    return signer.send('POST', '/console/passkeys', { nonce, credential });
  };

  it('one of its passkeys consents, once', async () => {
    expect((await olivia.send('POST', '/console/passkeys/enrolments', {})).status).toBe(403);
    const started = await begin(olivia);
    expect(started.status).toBe(200);
    const { consent } = started;
    expect((await olivia.send('POST', '/console/passkeys/enrolments', { consent })).status).toBe(403);
    expect((await finish(new Signer('olivia', olivia.passkey), started)).status).toBe(204);
  });

  it.each([
    ['the passkey of another person', () => begin(olivia, sam.passkey)],
    ['a passkey that nobody has', () => begin(olivia, new SoftPasskey())],
    ['a signature that signs in', () => begin(olivia, olivia.passkey, SIGN_IN)],
  ])('%s does not consent', async (_, start) => {
    expect((await start()).status).toBe(403);
  });

  it('a passkey that is removed meanwhile does not consent', async () => {
    const gone = await signedIn('olivia');
    const started = await begin(gone);
    await service.database.query('update passkeys set revoked_at = now() where id = $1', [
      gone.passkey.credentialId,
    ]);
    expect((await finish(olivia, started)).status).toBe(403);
  });
});

it('a signature signs in once', async () => {
  const used = await new Signer('olivia', olivia.passkey).signIn();
  const replay = await new Signer('olivia', olivia.passkey).send('POST', '/console/session', {
    passkey: used,
  });
  expect(replay.status).toBe(401);
});

it('a passkey that is removed between the page and the decision decides nothing', async () => {
  const id = await ask();
  const gone = await signedIn('olivia');
  const statement = await gone.begin(id);
  await service.database.query('update passkeys set revoked_at = now() where id = $1', [
    gone.passkey.credentialId,
  ]);
  expect((await gone.decide(id, statement, gone.passkey.sign(statement, gone.origin))).status).toBe(401);
  expect((await olivia.decide(id, statement, gone.passkey.sign(statement, gone.origin))).status).toBe(403);
  expect(await statusOf(id)).toBe('pending');
});

it('a passkey that is removed takes its counted decisions with it, also where its person has another one', async () => {
  const id = await ask('terraform destroy');
  const gone = await signedIn('olivia');
  expect((await gone.approve(id)).body.decisions).toHaveLength(1);
  const path = `/console/passkeys/${gone.passkey.credentialId}`;
  expect((await sam.send('DELETE', path)).status).toBe(403);
  expect((await olivia.send('DELETE', path)).status).toBe(204);
  expect((await service.api.get(id)).body.decisions).toEqual([]);
  const taken = await service.database.query(
    `select actor, data::json from audit_log where approval_id = $1 and type = 'approval.taken-back'`,
    [id],
  );
  const data = { decision: 'approved', of: 'console:person:olivia', reason: 'passkey-removed' };
  expect(taken).toEqual([{ actor: 'console:person:olivia', data }]);
  expect((await sam.approve(id)).body.status).toBe('pending');
});

it('what a session of a removed passkey did without a signature ends with it: a decision, a grant and a proposal', async () => {
  const thief = await signedIn('olivia');
  const shownTo = async (signer: Signer, id: string) =>
    (await signer.send<{ displayDigest: string }>('GET', `/api/approvals/${id}/display`)).body.displayDigest;
  const approve = async (signer: Signer, id: string) => {
    const decision = { decision: 'approved', displayDigest: await shownTo(signer, id) };
    return (await signer.send<ApprovalJson>('POST', `/api/approvals/${id}/decision`, decision)).body;
  };
  const counted = await ask('terraform taint');
  expect((await approve(thief, counted)).decisions).toHaveLength(1);
  const signed = await ask('terraform destroy');
  expect((await olivia.approve(signed)).body.decisions).toHaveLength(1);
  const granted = await ask('npm run lint');
  const { body } = await thief.send<{ offers: { id: string }[] }>(
    'GET',
    `/api/approvals/${granted}/grant-offers`,
  );
  const grant = {
    approvalId: granted,
    offer: body.offers[0]?.id,
    displayDigest: await shownTo(thief, granted),
  };
  expect((await thief.send('POST', '/api/grants', grant)).status).toBe(201);
  await propose('olivia');
  await olivia.send('DELETE', `/console/passkeys/${thief.passkey.credentialId}`);
  expect((await service.api.get(counted)).body.decisions).toEqual([]);
  expect(await service.database.query('select from policy_proposals')).toEqual([]);
  expect((await approve(sam, counted)).status).toBe('pending');
  expect((await service.api.get(signed)).body.decisions).toHaveLength(1);
  await until('the grant has ended', async () => (await statusOf(await ask('npm run lint'))) === 'pending');
  const ended = await service.database.query(
    `select actor, data::json ->> 'cause' as cause from audit_log where approval_id = $1 and type = 'grant.revoked'`,
    [granted],
  );
  expect(ended).toEqual([{ actor: 'console:person:olivia', cause: 'passkey' }]);
});

it('a person who leaves the policy and comes back has nothing from before', async () => {
  const withTom = POLICY.replace('people:', 'people:\n  tom: { groups: [sre] }');
  await apply(withTom);
  const tom = await signedIn('tom');
  const id = await ask('terraform destroy');
  expect((await tom.approve(id)).body.decisions).toHaveLength(1);
  const claimed = await ask('terraform destroy');
  expect((await tom.send('POST', `/api/approvals/${claimed}/claim`)).status).toBe(200);
  const override = `'duty', 'tom', now() + interval '1 hour', 'console:person:tom', now()`;
  await service.database.query(`insert into rota_overrides values (${override})`);
  await propose('tom');

  await apply(POLICY);
  await apply(withTom);

  expect((await tom.send('GET', '/api/approvals')).status).toBe(401);
  await expect(tom.signIn()).rejects.toThrow();
  expect((await service.api.get(id)).body.decisions).toEqual([]);
  expect((await service.api.get(claimed)).body).toMatchObject({ claimedBy: null });
  for (const table of ['rota_overrides', 'policy_proposals'])
    expect(await service.database.query(`select from ${table}`)).toEqual([]);
  const audited = await service.database.query<{ type: string }>(
    `select type from audit_log where data like '%"person-removed"%' order by type`,
  );
  expect(audited.map(({ type }) => type)).toEqual([
    'approval.taken-back',
    'passkey.revoked',
    'policy.proposal-withdrawn',
    'rota.override-ended',
  ]);
  expect((await olivia.send('GET', '/api/approvals')).status).toBe(200);
  await apply(POLICY);
});

/** Until so many statements of this test’s database wait for a lock. */
const blocked = (count: number) =>
  until('statements wait', async () => {
    const waiting = await service.database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length === count;
  });

describe('a decision that is under way while its passkey is removed does not count:', () => {
  it.each([
    ['its request is locked', 'select from approvals where id = $1 for update', 403],
    [
      'it is being stored',
      `insert into decisions (approval_id, by_kind, by_id, by_name, verdict, decided_at)
       values ($1, 'console', 'person:olivia', 'olivia', 'approved', now())`,
      200,
    ],
  ])('%s', async (_, hold, answer) => {
    const id = await ask('terraform destroy');
    const gone = await signedIn('olivia');
    const statement = await gone.begin(id);
    const calls: Promise<{ status: number }>[] = [];
    await service.database.query('begin');
    try {
      await service.database.query(hold, [id]);
      calls.push(gone.decide(id, statement, gone.passkey.sign(statement, gone.origin)));
      await blocked(1);
      calls.push(olivia.send('DELETE', `/console/passkeys/${gone.passkey.credentialId}`));
      await (answer === 200 ? blocked(2) : calls[1]);
    } finally {
      await service.database.query('rollback');
    }
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([answer, 204]);
    expect((await service.api.get(id)).body.decisions).toEqual([]);
    expect((await sam.approve(id)).body.status).toBe('pending');
  });
});

it('the database itself counts no signature of a removed passkey, whatever statement settles', async () => {
  const id = await ask();
  const gone = await signedIn('olivia');
  const statement = await gone.begin(id, { reason: 'it has \u0000' });
  const signed = { statement, ...gone.passkey.sign(statement, gone.origin) };
  await service.database.query(
    `insert into decisions (approval_id, by_kind, by_id, by_name, verdict, decided_at, signed)
     values ($1, 'console', 'person:olivia', 'olivia', 'approved', now(), $2)`,
    [id, JSON.stringify(signed)],
  );
  await service.database.query('update passkeys set revoked_at = now() where id = $1', [signed.credentialId]);
  const settle = service.database.query(
    `update approvals set status = 'approved', settled_at = now(), settled_by_kind = 'console',
       settled_by_id = 'person:olivia', settled_by_name = 'olivia' where id = $1`,
    [id],
  );
  await expect(settle).rejects.toThrow('0 of the required approvals');
});
