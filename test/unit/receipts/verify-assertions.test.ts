import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  DECISION,
  SIGN_IN,
  type DecisionStatement,
  type SignedDecision,
} from '../../../src/kernel/passkey-statement';
import { RECEIPT_TYPE, receiptClaims } from '../../../src/receipts/receipt-claims';
import { SigningKey } from '../../../src/receipts/signing-key';
import { registrySchema, verifyAssertions } from '../../../src/receipts/verify-assertions';
import { readReceipt } from '../../../src/receipts/verify-receipt';
import { CHECKOUT } from '../../support/processes';
import { SoftPasskey } from '../../support/passkeys';

const COUNT = 1_000;
const ORIGIN = 'http://localhost:3000';
const digest = (): string => `sha256:${randomBytes(32).toString('hex')}`;

const VERSION = digest();

const SETTLED = new Date('2026-11-30T12:00:00Z');
const PEOPLE = ['olivia', 'sam', 'maria'] as const;
const passkeys = new Map(PEOPLE.map((person) => [person, new SoftPasskey()]));
const olivia = passkeys.get('olivia') ?? new SoftPasskey();

/** Of olivia, too; removed a second before the decisions. */
const removed = new SoftPasskey();

const registry = registrySchema.parse({
  format: 'countersign-passkeys/1',
  exportedAt: SETTLED.toISOString(),
  passkeys: [...passkeys]
    .map(([person, passkey]) => ({
      credentialId: passkey.credentialId,
      person,
      publicKey: passkey.jwk,
      createdAt: '2026-01-01T00:00:00.000Z',
      revokedAt: null as string | null,
    }))
    .concat({
      credentialId: removed.credentialId,
      person: 'olivia',
      publicKey: removed.jwk,
      createdAt: '2026-01-01T00:00:00.000Z',
      revokedAt: '2026-11-30T11:59:59.999Z',
    }),
});

let key: SigningKey;
beforeAll(async () => {
  key = await SigningKey.from(SigningKey.generate());
});
const keySet = () => ({
  keys: [
    {
      kty: 'OKP' as const,
      crv: 'Ed25519' as const,
      alg: 'EdDSA' as const,
      use: 'sig' as const,
      kid: key.kid,
      x: key.x,
    },
  ],
});

function statementOf(person: string, more: Partial<DecisionStatement> = {}): DecisionStatement {
  return {
    purpose: DECISION,
    approvalId: randomUUID(),
    inputDigest: digest(),
    displayDigest: digest(),
    verdict: 'approved',
    reason: 'with “quotes”, \u0000 and ünïcode 🔑',
    policyVersion: VERSION,
    person,
    rpId: 'localhost',
    nonce: randomBytes(16).toString('base64url'),
    ...more,
  };
}

/** The receipt of the decision that the statement is about, with this signature in it. */
function receiptWith(of: DecisionStatement, signed: SignedDecision): string {
  const claims = receiptClaims(
    {
      id: of.approvalId,
      keyId: 'laptop',
      owner: null,
      agentId: 'coder',
      sessionId: 'session',
      toolName: 'Bash',
      inputDigest: of.inputDigest,
      status: of.verdict,
      settledAt: SETTLED,
      policy: { version: VERSION, rules: ['production'], needsReason: true },
      decision: {
        by: { kind: 'person', channel: 'console', id: `person:${of.person}`, name: of.person },
        reason: of.reason,
      },
      signed: [signed],
    },
    of.displayDigest,
    randomUUID(),
  );
  return key.sign(RECEIPT_TYPE, claims);
}

function genuine(index: number): string {
  const person = PEOPLE[index % PEOPLE.length] ?? 'olivia';
  const statement = statementOf(person, { verdict: index % 5 === 0 ? 'rejected' : 'approved' });
  const passkey = passkeys.get(person) ?? olivia;
  return receiptWith(statement, { statement, ...passkey.sign(statement, ORIGIN) });
}

/** Each forgery is signed by the service, as one would that lies about its people. */
const FORGERIES: readonly ((of: DecisionStatement) => SignedDecision)[] = [
  (of) => ({ statement: of, ...olivia.sign({ ...of, approvalId: randomUUID() }, ORIGIN) }),
  (of) => {
    const statement = { ...of, approvalId: randomUUID() };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => {
    const statement = { ...of, inputDigest: digest() };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => {
    const statement = { ...of, displayDigest: digest() };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => {
    const statement = { ...of, verdict: 'rejected' as const };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => {
    const statement = { ...of, policyVersion: digest() };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => {
    const statement = { ...of, reason: 'another' };
    return { statement, ...olivia.sign(statement, ORIGIN) };
  },
  (of) => ({ statement: of, ...new SoftPasskey().sign(of, ORIGIN) }),
  (of) => ({ statement: of, ...removed.sign(of, ORIGIN) }),
  (of) => ({ statement: of, ...new SoftPasskey().sign(of, ORIGIN), credentialId: olivia.credentialId }),
  (of) => ({ statement: of, ...(passkeys.get('sam') ?? olivia).sign(of, ORIGIN) }),
  (of) => ({ statement: of, ...olivia.sign({ purpose: SIGN_IN, rpId: of.rpId, nonce: of.nonce }, ORIGIN) }),
  (of) => ({ statement: of, ...olivia.sign(of, 'https://evil.example') }),
  (of) => ({ statement: of, ...olivia.sign(of, ORIGIN, { flags: 1 }) }),
  (of) => ({ statement: of, ...olivia.sign(of, ORIGIN, { type: 'webauthn.create' }) }),
  (of) => ({ statement: { ...of, reason: 'another' }, ...olivia.sign(of, ORIGIN) }),
];

function forged(index: number): string {
  const forge = FORGERIES[index % FORGERIES.length];
  if (!forge) throw new Error('there is no forgery');
  const of = statementOf('olivia');
  return receiptWith(of, forge(of));
}

async function isValid(receipt: string): Promise<boolean> {
  const claims = await readReceipt(receipt, keySet());
  try {
    return verifyAssertions(claims, registry).length === 1;
  } catch {
    return false;
  }
}

/** The answers of a program that has none of this code. */
function elsewhere(receipts: readonly string[]): boolean[] {
  const folder = mkdtempSync(join(tmpdir(), 'receipts-'));
  try {
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const out = execFileSync(process.execPath, [
      join(CHECKOUT, 'test/receipts/verify-receipt.mjs'),
      file('jwks.json', JSON.stringify(keySet())),
      file('registry.json', JSON.stringify(registry)),
      file('receipts.txt', receipts.join('\n')),
    ]);
    return out
      .toString()
      .trim()
      .split('\n')
      .map((line) => line === 'ok');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it.each([
  ['accept genuine receipts', genuine, true],
  ['refuse forgeries', forged, false],
] as const)(`this verifier and an independent one ${COUNT} times %s`, async (_, make, expected) => {
  const receipts = Array.from({ length: COUNT }, (__, index) => make(index));
  const here = await Promise.all(receipts.map(isValid));
  expect(here).toEqual(Array<boolean>(COUNT).fill(expected));
  expect(elsewhere(receipts)).toEqual(here);
});

it('refuses a passkey that was made after the decision', async () => {
  const claims = await readReceipt(genuine(0), keySet());
  const later = registry.passkeys.map((each) => ({ ...each, createdAt: '2026-12-01T00:00:00.000Z' }));
  expect(() => verifyAssertions(claims, { ...registry, passkeys: later })).toThrow('made after the decision');
});

it('refuses a passkey that was removed before the decision, and takes one that was removed later', async () => {
  const claims = await readReceipt(genuine(0), keySet());
  const endingAt = (revokedAt: string) => ({
    ...registry,
    passkeys: registry.passkeys.map((each) => ({ ...each, revokedAt })),
  });
  expect(() => verifyAssertions(claims, endingAt('2026-11-30T11:59:59.999Z'))).toThrow(
    'removed before the decision',
  );
  expect(verifyAssertions(claims, endingAt('2026-11-30T12:00:00.000Z'))).toHaveLength(1);
});
