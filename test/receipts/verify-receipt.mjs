// An independent verifier of receipts with passkey signatures: Node alone, no code of Countersign. docs/receipts.md has the steps.
// Usage: node verify-receipt.mjs JWKS.json REGISTRY.json RECEIPTS.txt (one receipt a line); prints "ok" or "bad REASON" for each.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [, , jwksFile, registryFile, receiptsFile] = process.argv;
const jwks = JSON.parse(readFileSync(jwksFile, 'utf8')).keys;
const registry = JSON.parse(readFileSync(registryFile, 'utf8')).passkeys;

const bytes = (text) => Buffer.from(text, 'base64url');
const sha256 = (data) => createHash('sha256').update(data).digest();
const must = (condition, reason) => {
  if (!condition) throw new Error(reason);
};

/** RFC 8785 for an object of strings and nulls, which a statement is. */
function canonical(statement) {
  const members = Object.keys(statement)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(statement[name])}`);
  return `{${members.join(',')}}`;
}

/** Step 1: the service's own signature. */
function claimsOf(receipt) {
  const [head, body, signature, ...more] = receipt.split('.');
  must(signature !== undefined && more.length === 0, 'not a compact JWS');
  const header = JSON.parse(bytes(head));
  must(header.typ === 'countersign-receipt+jwt' && header.alg === 'EdDSA', 'not a receipt');
  const key = jwks.find(({ kid }) => kid === header.kid);
  must(key, 'unknown key of the service');
  const data = Buffer.from(`${head}.${body}`);
  must(
    verify(null, data, createPublicKey({ key, format: 'jwk' }), bytes(signature)),
    'signature of the service',
  );
  return JSON.parse(bytes(body));
}

function verifyAssertion({ statement, credentialId, authenticatorData, clientDataJSON, signature }, claims) {
  // Step 2: the statement is about this request, this action and this verdict.
  must(statement.purpose === 'countersign:decision', 'purpose');
  must(statement.approvalId === claims.approvalId, 'request');
  must(statement.inputDigest === claims.inputDigest, 'action');
  must(statement.verdict === claims.status, 'verdict');
  must(statement.policyVersion === claims.policyVersion, 'policy');
  // Step 3: its person is among those who decided, over the text that they signed, and for the reason.
  const { decidedBy, displayDigest: shown, reason: given } = claims;
  const deciders = claims.decisions ?? [{ by: decidedBy, displayDigest: shown, reason: given }];
  must(
    deciders.some(
      ({ by, displayDigest, reason }) =>
        by?.kind === 'console' &&
        by.id === `person:${statement.person}` &&
        displayDigest === statement.displayDigest &&
        (reason === undefined || reason === statement.reason),
    ),
    'decider',
  );
  // Step 4: the registry, which was exported before, says whose passkey it is.
  const passkey = registry.find((each) => each.credentialId === credentialId);
  must(passkey && passkey.person === statement.person, 'passkey');
  must(Math.floor(Date.parse(passkey.createdAt) / 1000) <= claims.iat, 'passkey is younger');
  must(
    passkey.revokedAt === null || Math.floor(Date.parse(passkey.revokedAt) / 1000) >= claims.iat,
    'passkey was removed',
  );
  // Step 5: the browser asked for this statement's digest, and the passkey verified its user.
  const client = JSON.parse(bytes(clientDataJSON));
  must(client.type === 'webauthn.get', 'type');
  must(client.challenge === sha256(canonical(statement)).toString('base64url'), 'challenge');
  must(new URL(client.origin).hostname === statement.rpId, 'origin');
  const data = bytes(authenticatorData);
  must(data.length >= 37 && data.subarray(0, 32).equals(sha256(statement.rpId)), 'RP ID');
  must((data[32] & 0x05) === 0x05, 'user not verified');
  // Step 6: the signature itself.
  const key = createPublicKey({ key: passkey.publicKey, format: 'jwk' });
  const algorithm = passkey.publicKey.kty === 'OKP' ? null : 'sha256';
  const signed = Buffer.concat([data, sha256(bytes(clientDataJSON))]);
  must(verify(algorithm, signed, key, bytes(signature)), 'signature of the passkey');
}

for (const receipt of readFileSync(receiptsFile, 'utf8').trim().split('\n')) {
  try {
    const claims = claimsOf(receipt);
    for (const assertion of claims.assertions ?? []) verifyAssertion(assertion, claims);
    console.log('ok');
  } catch (error) {
    console.log(`bad ${error.message}`);
  }
}
