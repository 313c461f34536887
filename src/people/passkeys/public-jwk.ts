import type { JsonWebKey } from 'node:crypto';

/** Labels of a COSE_Key (RFC 9052 and 9053). */
const KTY = 1;
const CRV = -1;
const X = -2;
const Y = -3;
const RSA_N = -1;
const RSA_E = -2;

const KINDS = { 1: 'OKP', 2: 'EC', 3: 'RSA' } as const;
const CURVES: Readonly<Record<number, string>> = { 1: 'P-256', 6: 'Ed25519' };

/**
 * A passkey's public key as other programs read it. P-256, RSA and Ed25519, which are all that an enrolment accepts.
 *
 * @throws Error for another key
 */
export async function publicJwkOf(coseKey: Uint8Array): Promise<JsonWebKey> {
  const { isoCBOR } = await import('@simplewebauthn/server/helpers');
  const key = isoCBOR.decodeFirst<ReadonlyMap<number, unknown>>(new Uint8Array(coseKey));
  const bytes = (label: number): string => Buffer.from(key.get(label) as Uint8Array).toString('base64url');
  const kty = KINDS[key.get(KTY) as keyof typeof KINDS] as string | undefined;
  if (kty === 'RSA') return { kty, n: bytes(RSA_N), e: bytes(RSA_E) };
  const crv = CURVES[key.get(CRV) as number];
  if (kty === undefined || crv === undefined) throw new Error('this kind of public key is not known');
  return { kty, crv, x: bytes(X), ...(kty === 'EC' && { y: bytes(Y) }) };
}
