import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { challengeOf } from '../kernel/passkey-statement';
import type { ReceiptClaims } from './receipt-claims';
import { ReceiptRefused } from './verify-receipt';

/** The export of `countersign people export`: the public keys of people, also of removed passkeys. */
export const registrySchema = z.looseObject({
  format: z.literal('countersign-passkeys/1'),
  passkeys: z.array(
    z.looseObject({
      credentialId: z.string(),
      person: z.string(),
      publicKey: z.record(z.string(), z.unknown()),
      createdAt: z.iso.datetime(),
      revokedAt: z.iso.datetime().nullable(),
    }),
  ),
});

export type Registry = z.infer<typeof registrySchema>;
type Version2 = Extract<ReceiptClaims, { bindingVersion: 2 }>;
type Assertion = NonNullable<Version2['assertions']>[number];

const clientDataSchema = z.looseObject({ type: z.string(), challenge: z.string(), origin: z.string() });

const RP_ID_HASH_LENGTH = 32;
/** The user was present, and the authenticator verified who it is. */
const PRESENT_AND_VERIFIED = 0x05;
const SHORTEST_AUTHENTICATOR_DATA = 37;

const sha256 = (data: Uint8Array | string): Buffer => createHash('sha256').update(data).digest();
const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');

/**
 * Verifies what passkeys have signed about the decision of a genuine receipt, offline, against a registry that was exported
 * before.
 *
 * @returns the people who signed
 * @throws ReceiptRefused for one that is not valid
 */
export function verifyAssertions(claims: ReceiptClaims, registry: Registry): string[] {
  if (claims.bindingVersion === 1) return [];
  return (claims.assertions ?? []).map((assertion) => {
    const fault = faultOf(assertion, claims, registry);
    if (fault !== null) throw new ReceiptRefused(`The receipt is refused: ${fault}.`);
    return assertion.statement.person;
  });
}

/** @returns null for a valid one */
function faultOf(assertion: Assertion, claims: Version2, { passkeys }: Registry): string | null {
  const { statement, credentialId } = assertion;
  if (statement.approvalId !== claims.approvalId) return 'a passkey signed another request';
  if (statement.inputDigest !== claims.inputDigest) return 'a passkey signed another action';
  if (statement.verdict !== claims.status) return 'a passkey signed another verdict';
  if (statement.policyVersion !== claims.policyVersion)
    return 'a passkey signed under another version of the policy';
  if (!isOfDecider(assertion, claims))
    return 'a passkey signed for somebody who did not decide, or over another text or reason';
  const passkey = passkeys.find((each) => each.credentialId === credentialId);
  if (passkey === undefined) return 'the registry does not have the passkey';
  if (passkey.person !== statement.person) return 'the passkey belongs to somebody else';
  const seconds = (time: string): number => Math.floor(new Date(time).getTime() / 1000);
  if (seconds(passkey.createdAt) > claims.iat) return 'the passkey was made after the decision';
  if (passkey.revokedAt !== null && seconds(passkey.revokedAt) < claims.iat)
    return 'the passkey was removed before the decision';
  return isSignedBy(passkey.publicKey, assertion) ? null : 'the signature of the passkey is not valid';
}

/** True if the receipt lists the person among those who decided, over the signed text; also with the reason, if it has one. */
function isOfDecider({ statement }: Assertion, claims: Version2): boolean {
  const { decidedBy, displayDigest, reason } = claims;
  const decisions = claims.decisions ?? [{ by: decidedBy, displayDigest, reason }];
  return decisions.some(
    (decision) =>
      decision.by?.kind === 'console' &&
      decision.by.id === `person:${statement.person}` &&
      decision.displayDigest === statement.displayDigest &&
      (decision.reason ?? statement.reason) === statement.reason,
  );
}

function isSignedBy(publicKey: JsonWebKey, assertion: Assertion): boolean {
  const { statement } = assertion;
  const data = bytes(assertion.authenticatorData);
  const clientData = bytes(assertion.clientDataJSON);
  try {
    const client = clientDataSchema.parse(JSON.parse(clientData.toString()));
    const flags = data[RP_ID_HASH_LENGTH] ?? 0;
    const key = createPublicKey({ key: publicKey, format: 'jwk' });
    const algorithm = publicKey.kty === 'OKP' ? null : 'sha256';
    return (
      client.type === 'webauthn.get' &&
      client.challenge === challengeOf(statement) &&
      new URL(client.origin).hostname === statement.rpId &&
      data.length >= SHORTEST_AUTHENTICATOR_DATA &&
      data.subarray(0, RP_ID_HASH_LENGTH).equals(sha256(statement.rpId)) &&
      (flags & PRESENT_AND_VERIFIED) === PRESENT_AND_VERIFIED &&
      verify(algorithm, Buffer.concat([data, sha256(clientData)]), key, bytes(assertion.signature))
    );
  } catch {
    // Not JSON, not an address, or not a public key.
    return false;
  }
}
