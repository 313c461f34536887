import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { inputDigest } from '../../../src/kernel/canonical-json';
import type { KeySet } from '../../../src/receipts/key-set';
import { RECEIPT_TYPE, type ReceiptClaims } from '../../../src/receipts/receipt-claims';
import type { ExpectedUse } from '../../../src/receipts/verify-receipt';

export const SETTLED_AT = new Date('2026-08-01T12:00:00.000Z');
const IAT = SETTLED_AT.getTime() / 1000;
export const DAY_MS = 86_400_000;

export const EXPECTED: ExpectedUse = {
  approvalId: '0190a000-0000-7000-8000-000000000001',
  agentId: 'claude-code',
  sessionId: 'session-1',
  action: { toolName: 'Bash', toolInput: { command: 'make deploy' }, cwd: '/srv' },
};

export function claims(more: object = {}): ReceiptClaims {
  return {
    iss: 'countersign',
    aud: EXPECTED.agentId,
    jti: '6f3f9f0e-66b4-4a4e-9a55-0f6d9f0c5a01',
    approvalId: EXPECTED.approvalId,
    agentId: EXPECTED.agentId,
    sessionId: EXPECTED.sessionId,
    toolName: EXPECTED.action.toolName,
    inputDigest: inputDigest(EXPECTED.action),
    displayDigest: `sha256:${'0'.repeat(64)}`,
    status: 'approved',
    decidedBy: { kind: 'telegram', id: '1', name: 'Olivia' },
    iat: IAT,
    nbf: IAT,
    exp: IAT + 86_400,
    keyId: 'laptop',
    keyOwner: 'olivia',
    policyVersion: null,
    rules: [],
    bindingVersion: 2,
    ...more,
  };
}

export const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const keyPair = generateKeyPairSync('ed25519');
const x = keyPair.publicKey.export({ format: 'jwk' }).x ?? '';
export const KID = 'the-key';
export const KEYS: KeySet = { keys: [{ kty: 'OKP', crv: 'Ed25519', kid: KID, x }] };
export const HEADER = { alg: 'EdDSA', typ: RECEIPT_TYPE, kid: KID };

/** Without a JOSE library, so that what ours would never make can be made. */
export function signed(
  payload: unknown,
  header: object = HEADER,
  key: KeyObject = keyPair.privateKey,
): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

/** As a library does it that takes the algorithm from the token and the public key for a shared secret. */
export function hmacSigned(payload: unknown, secret: string | Buffer, header: object = HEADER): string {
  const input = `${encoded({ ...header, alg: 'HS256' })}.${encoded(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export const PUBLIC_KEY_FORMS: readonly (string | Buffer)[] = [
  x,
  Buffer.from(x, 'base64url'),
  keyPair.publicKey.export({ format: 'pem', type: 'spki' }),
  keyPair.publicKey.export({ format: 'der', type: 'spki' }),
  JSON.stringify(KEYS.keys[0]),
];
