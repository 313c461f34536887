import { compactVerify, importJWK } from 'jose';
import { z } from 'zod';
import type { JsonValue } from '../kernel/json';
import { parseStrictJson } from '../kernel/strict-json';
import { SIGNING_ALGORITHM, type KeySet, type PublicKey } from './key-set';

/** The document was not signed by this service; the message gives the reason to the person who presented it. */
export class SignatureRefused extends Error {
  override readonly name = 'SignatureRefused';
}

const textOf = (bytes: string): string => Buffer.from(bytes, 'base64url').toString('utf8');

/** Finds the key of a header that has exactly our members: no other algorithm, no key of its own, no `crit`. */
function keyFor(header: string, type: string, { keys }: KeySet): PublicKey {
  const expected = z.strictObject({
    alg: z.literal(SIGNING_ALGORITHM),
    typ: z.literal(type),
    kid: z.string(),
  });
  let parsed: z.ZodSafeParseResult<z.infer<typeof expected>>;
  try {
    parsed = expected.safeParse(parseStrictJson(textOf(header)));
  } catch (cause) {
    throw new SignatureRefused('the header cannot be read', { cause });
  }
  if (!parsed.success) {
    throw new SignatureRefused(`the header is not {alg: ${SIGNING_ALGORITHM}, typ: ${type}, kid}`);
  }
  const { kid } = parsed.data;
  const key = keys.find((each) => each.kid === kid);
  if (!key) throw new SignatureRefused(`no key with the id ${kid} is known`);
  return key;
}

const dated = z.looseObject({ iat: z.int() });

/**
 * Verifies a compact JWS of this type against the keys; returns its payload. A retired key may be a stolen one, so it signs
 * nothing of a later date.
 *
 * @throws SignatureRefused for anything else.
 */
export async function verifySignature(token: string, type: string, keys: KeySet): Promise<JsonValue> {
  const [header, , signature, ...more] = token.split('.');
  if (!header || !signature || more.length > 0) throw new SignatureRefused('it is not a compact JWS');
  const key = keyFor(header, type, keys);
  const payload = await signedBy(key, token);
  if (key.exp === undefined) return payload;
  const { data } = dated.safeParse(payload);
  if (data === undefined || data.iat > key.exp)
    throw new SignatureRefused('its key was retired before its date');
  return payload;
}

async function signedBy({ kty, crv, x }: PublicKey, token: string): Promise<JsonValue> {
  try {
    const publicKey = await importJWK({ kty, crv, x }, SIGNING_ALGORITHM);
    const { payload } = await compactVerify(token, publicKey, { algorithms: [SIGNING_ALGORITHM] });
    return parseStrictJson(payload);
  } catch (cause) {
    throw new SignatureRefused('the signature does not fit', { cause });
  }
}
