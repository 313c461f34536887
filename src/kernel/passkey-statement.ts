import { hash } from 'node:crypto';
import { canonicalize } from './canonical-json';

/** Purposes of statements that a passkey signs. A signature for one is never valid for another. */
export const SIGN_IN = 'countersign:sign-in';
export const ENROLMENT = 'countersign:enrolment';
export const ENROLMENT_CONSENT = 'countersign:enrolment-consent';
export const DECISION = 'countersign:decision';

/** Name of the relying party and a random number of 128 bits, in Base64url. */
interface Statement {
  readonly rpId: string;
  readonly nonce: string;
}

export interface SignInStatement extends Statement {
  readonly purpose: typeof SIGN_IN;
}

export interface EnrolmentStatement extends Statement {
  readonly purpose: typeof ENROLMENT;
  readonly person: string;
}

/** The person, with a passkey that they have, wants another one. */
export interface EnrolmentConsentStatement extends Statement {
  readonly purpose: typeof ENROLMENT_CONSENT;
  readonly person: string;
}

/** The decision of one person about one exact action. */
export interface DecisionStatement extends Statement {
  readonly purpose: typeof DECISION;
  readonly approvalId: string;
  readonly inputDigest: string;
  /** SHA-256 of the text that the page showed. */
  readonly displayDigest: string;
  readonly verdict: 'approved' | 'rejected';
  readonly reason: string | null;
  readonly policyVersion: string | null;
  readonly person: string;
}

export type PasskeyStatement =
  SignInStatement | EnrolmentStatement | EnrolmentConsentStatement | DecisionStatement;

/** A decision with the signature of the person's passkey; all but the statement in Base64url. */
export interface SignedDecision {
  readonly statement: DecisionStatement;
  readonly credentialId: string;
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}

/** The WebAuthn challenge that stands for the statement: Base64url of the SHA-256 of its RFC 8785 form. */
export function challengeOf(statement: PasskeyStatement): string {
  return hash('sha256', canonicalize({ ...statement }), 'base64url');
}
