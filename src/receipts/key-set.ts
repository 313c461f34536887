import { z } from 'zod';

/** Edwards-curve signatures with Ed25519 and nothing else (RFC 8037). */
export const SIGNING_ALGORITHM = 'EdDSA';

/** A public key in `/.well-known/jwks.json`. Unknown members are ignored, as RFC 7517 requires. */
export const publicKeySchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  use: z.literal('sig').optional(),
  alg: z.literal(SIGNING_ALGORITHM).optional(),
  /** The RFC 7638 thumbprint of the key. */
  kid: z.string().min(1),
  /** The key itself: 32 bytes, base64url. */
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Seconds since 1970: the time when a retired key stopped signing. Receipts with a later date are refused. */
  exp: z.int().optional(),
});

export type PublicKey = z.infer<typeof publicKeySchema>;

/** A set may hold keys of other kinds, which are left out. */
export const keySetSchema = z.object({ keys: z.array(z.unknown()) }).transform(({ keys }) => ({
  keys: keys.flatMap((key) => {
    const parsed = publicKeySchema.safeParse(key);
    return parsed.success ? [parsed.data] : [];
  }),
}));

export interface KeySet {
  readonly keys: readonly PublicKey[];
}
