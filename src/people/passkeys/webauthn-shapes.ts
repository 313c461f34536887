import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { z } from 'zod';

/** The longest that an authenticator sends, with room: an attestation object with a certificate. */
const MAX_LENGTH = 16_384;

const base64url = z
  .string()
  .regex(/^[\w-]+$/, 'must be Base64url')
  .max(MAX_LENGTH, `must have at most ${MAX_LENGTH} characters`);

export const nonceSchema = z.string().regex(/^[\w-]{22}$/, 'must be the nonce of a challenge');

/** The browser's answer to a challenge (`navigator.credentials.get`). */
export const assertionSchema = z.strictObject({
  credentialId: base64url,
  authenticatorData: base64url,
  clientDataJSON: base64url,
  signature: base64url,
});

/** The browser's answer to an enrolment (`navigator.credentials.create`). */
export const newCredentialSchema = z.strictObject({
  credentialId: base64url,
  attestationObject: base64url,
  clientDataJSON: base64url,
});

export type AssertionBody = z.infer<typeof assertionSchema>;

/** As the library wants it. */
export function responseOf({ credentialId, ...response }: AssertionBody): AuthenticationResponseJSON {
  return { id: credentialId, rawId: credentialId, type: 'public-key', response, clientExtensionResults: {} };
}

export function registrationOf({
  credentialId,
  ...response
}: z.infer<typeof newCredentialSchema>): RegistrationResponseJSON {
  return { id: credentialId, rawId: credentialId, type: 'public-key', response, clientExtensionResults: {} };
}
