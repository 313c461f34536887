import { startAuthentication, startRegistration } from '@simplewebauthn/browser';
import canonicalize from 'canonicalize';
import { api, bodyOf, CONSOLE_HEADER, type Verdict } from './api';
import { hex, sha256 } from './digest';
import { keepPageSecret } from './page-secret';
import { TEXTS } from './texts';

/** ECDSA with P-256, Ed25519, and RSA with SHA-256, in the order of preference. */
const ALGORITHMS = [-7, -8, -257] as const;

const base64url = (bytes: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

/** The challenge is the digest of a statement that this page makes: so the page knows what is signed. */
const challengeOf = async (statement: object): Promise<string> =>
  base64url(await sha256(canonicalize(statement) ?? ''));

/** The browser's own words name no cause that a person can act on. */
function inWords(error: unknown): never {
  throw error instanceof DOMException || (error instanceof Error && error.name !== 'Refusal')
    ? new Error(TEXTS.signIn.cancelled, { cause: error })
    : error;
}

async function sign(
  statement: Readonly<Record<string, string | null>> & { readonly rpId: string },
  credentials: readonly string[] = [],
) {
  const challenge = await challengeOf(statement);
  const { id, response } = await startAuthentication({
    optionsJSON: {
      challenge,
      rpId: statement.rpId,
      userVerification: 'required',
      allowCredentials: credentials.map((each) => ({ id: each, type: 'public-key' as const })),
    },
  }).catch(inWords);
  const { authenticatorData, clientDataJSON, signature } = response;
  return { credentialId: id, authenticatorData, clientDataJSON, signature };
}

/** The signature of a passkey that signs in. */
export async function signInAssertion() {
  const { rpId, nonce } = await bodyOf(api.POST('/console/passkeys/sign-in'));
  return { nonce, assertion: await sign({ purpose: 'countersign:sign-in', rpId, nonce }) };
}

/**
 * The signature of the person's passkey over a decision.
 *
 * @param display the text that the page shows: its digest is made here
 */
export async function signDecision(
  approvalId: string,
  { verdict, reason, display }: { verdict: Verdict; reason: string | null; display: string },
) {
  const { inputDigest, policyVersion, person, rpId, nonce, passkeys } = await bodyOf(
    api.GET('/api/approvals/{id}/challenge', { params: { path: { id: approvalId } } }),
  );
  const displayDigest = `sha256:${hex(await sha256(display))}`;
  const said = { approvalId, inputDigest, displayDigest, verdict, reason, policyVersion };
  const statement = { purpose: 'countersign:decision', ...said, person, rpId, nonce };
  return { nonce, ...(await sign(statement, passkeys)) };
}

export interface EnrolmentStart {
  readonly person: string;
  readonly rpId: string;
  readonly nonce: string;
  readonly existing: readonly string[];
}

/** Uses the invitation up. */
export const beginEnrolment = (invite: string): Promise<EnrolmentStart> =>
  bodyOf(api.POST('/console/passkeys/enrolments', { body: { invite } }));

/** Begins another passkey of the signed-in person, who consents with one that they have. */
export async function beginAnother(): Promise<EnrolmentStart> {
  const { person, rpId, nonce, passkeys } = await bodyOf(api.POST('/console/passkeys/consents'));
  const statement = { purpose: 'countersign:enrolment-consent', person, rpId, nonce };
  const consent = { nonce, ...(await sign(statement, passkeys)) };
  return bodyOf(api.POST('/console/passkeys/enrolments', { body: { consent } }));
}

/** Makes the passkey, and signs in with it. */
export async function enrol({ person, rpId, nonce, existing }: EnrolmentStart): Promise<void> {
  const challenge = await challengeOf({ purpose: 'countersign:enrolment', person, rpId, nonce });
  const { id, response } = await startRegistration({
    optionsJSON: {
      challenge,
      rp: { id: rpId, name: TEXTS.product },
      user: { id: base64url(await sha256(person)), name: person, displayName: person },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ alg, type: 'public-key' as const })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: existing.map((each) => ({ id: each, type: 'public-key' as const })),
      attestation: 'none',
    },
  }).catch(inWords);
  const { attestationObject, clientDataJSON } = response;
  const credential = { credentialId: id, attestationObject, clientDataJSON };
  const answer = await api.POST('/console/passkeys', { body: { nonce, credential } });
  keepPageSecret(answer.response.headers.get(CONSOLE_HEADER) ?? '');
}
