import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { digestOf } from '../../access/api-key';
import { accountOf } from '../../access/identity';
import { operatorNames, personOf } from '../../access/known-person';
import { CONFIG, type Config } from '../../config/environment';
import { DomainError } from '../../kernel/errors';
import {
  challengeOf,
  DECISION,
  ENROLMENT,
  ENROLMENT_CONSENT,
  SIGN_IN,
  type EnrolmentStatement,
  type PasskeyStatement,
  type SignInStatement,
} from '../../kernel/passkey-statement';
import { PasskeyStore, type Enrolment, type Passkey } from './passkey-store';
import type { RelyingParty } from './relying-party';

/** 128 bits. */
const NONCE_BYTES = 16;
/** 256 bits, as in a key. */
const TOKEN_BYTES = 32;

/** ECDSA with P-256, RSA with SHA-256, and Ed25519, as COSE numbers them. */
const ALGORITHMS = [-7, -257, -8];

/** The library takes half a second to load, and most processes never need it. */
const webauthn = () => import('@simplewebauthn/server');

const newNonce = (): string => randomBytes(NONCE_BYTES).toString('base64url');

const refused = (message: string, cause?: unknown) => new DomainError('passkey.refused', message, { cause });

const noChallenge = () => refused('This took longer than five minutes, or was used before. Try again.');

/** A signed-in person who makes a passkey. */
export interface EnrolmentStart {
  readonly statement: EnrolmentStatement;
  /** Credential ids of the person, which their authenticators shall not make again. */
  readonly existing: readonly string[];
}

/** The start of a signature by one of the passkeys of a person. */
export interface SigningStart {
  readonly rpId: string;
  readonly nonce: string;
  /** Credential ids of the person that are not removed. */
  readonly existing: string[];
}

/** A passkey that has just signed. */
export interface SignedBy {
  readonly passkeyId: string;
  readonly person: string;
}

/**
 * The passkeys of people (WebAuthn). Each signs the digest of a statement with its purpose, so that no signature passes for
 * another. The browser computes the digest itself.
 */
@Injectable()
export class Passkeys {
  private readonly operators: readonly string[];

  constructor(
    private readonly store: PasskeyStore,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = operatorNames(config);
  }

  /**
   * Makes a token with which a person makes a passkey, once and within 15 minutes.
   *
   * @param isFirst only for a person who never had one; without it, the caller is a second person
   * @throws DomainError `passkey.refused`
   */
  async invite(name: string, madeBy: string, isFirst: boolean): Promise<string> {
    const person = personOf(name);
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const result = await this.store.invite(digestOf(token), { person, isFirst, madeBy }, this.operators);
    if (result === 'unknown')
      throw refused(
        `Nobody is known as ${person}: name them in "people" of the policy or, without such a policy, in ` +
          'TELEGRAM_OPERATORS or as the owner of an operator key.',
      );
    if (result === 'has-one')
      throw refused(
        `${person} has, or had, a passkey: they add another one in the console, signed in with it, or an admin ` +
          'invites them there.',
      );
    if (result === 'has-none')
      throw refused(
        `${person} never had a passkey: "countersign people invite" makes the link for the first one.`,
      );
    return token;
  }

  /**
   * Uses an invitation up, and begins to make its passkey.
   *
   * @returns null: the invitation is not valid any more
   */
  async beginByInvite(token: string, { id: rpId }: RelyingParty): Promise<EnrolmentStart | null> {
    const nonce = newNonce();
    const enrolment = await this.store.useInvite(digestOf(token), nonce, ENROLMENT);
    return enrolment && this.startOf(enrolment, rpId, nonce);
  }

  /** Begins to ask a person who is signed in with a passkey for their consent to another one: a session alone makes none. */
  beginConsent(person: string, at: RelyingParty): Promise<SigningStart> {
    return this.beginSigning(ENROLMENT_CONSENT, { person }, person, at);
  }

  /**
   * Begins to make a further passkey of a person who is signed in with one.
   *
   * @returns null: no passkey of the person has signed the consent that {@link beginConsent} began
   */
  async beginAnother(
    person: string,
    { nonce: consented, response }: { readonly nonce: string; readonly response: AuthenticationResponseJSON },
    at: RelyingParty,
  ): Promise<EnrolmentStart | null> {
    const rpId = at.id;
    const subject = await this.store.takeChallenge<{ person: string }>(consented, ENROLMENT_CONSENT);
    if (subject?.person !== person) return null;
    const statement = { purpose: ENROLMENT_CONSENT, person, rpId, nonce: consented } as const;
    const signed = await this.verify(response, statement, at);
    if (signed?.person !== person) return null;
    const nonce = newNonce();
    const madeBy = `console:${accountOf(person)}`;
    const enrolment = { person, isFirst: false, madeBy, consentBy: signed.passkeyId };
    await this.store.challenge(nonce, ENROLMENT, enrolment);
    return this.startOf(enrolment, rpId, nonce);
  }

  private async startOf({ person }: Enrolment, rpId: string, nonce: string): Promise<EnrolmentStart> {
    const existing = (await this.store.list()).filter((each) => each.person === person);
    return { statement: { purpose: ENROLMENT, person, rpId, nonce }, existing: existing.map(({ id }) => id) };
  }

  /**
   * Stores the passkey that the browser has made, and announces it.
   *
   * @throws DomainError `passkey.refused`
   */
  async enrol(
    nonce: string,
    response: RegistrationResponseJSON,
    { id: rpId, origin }: RelyingParty,
    lanes: readonly string[],
  ): Promise<SignedBy> {
    const enrolment = await this.store.takeChallenge<Enrolment>(nonce, ENROLMENT);
    if (!enrolment) throw noChallenge();
    const { person, madeBy } = enrolment;
    const { verifyRegistrationResponse } = await webauthn();
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: challengeOf({ purpose: ENROLMENT, person, rpId, nonce }),
      expectedOrigin: origin,
      expectedRPID: rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    }).catch((error: unknown) => {
      throw refused(
        'The browser’s answer is not a new passkey of this console that verified its user.',
        error,
      );
    });
    if (!verified) throw refused('The browser’s answer is not a new passkey of this console.');
    const { id, publicKey, counter } = registrationInfo.credential;
    const actor = `console:${accountOf(person)}`;
    const invitedBy = madeBy === actor ? null : madeBy;
    const isMade = await this.store.enrol(
      { ...enrolment, id, publicKey, counter },
      { actor, lanes },
      { event: 'passkey-made', person, invitedBy },
      this.operators,
    );
    if (!isMade)
      throw refused(
        `This passkey cannot be added: ${person} has one already or is not known any more, or it exists.`,
      );
    return { passkeyId: id, person };
  }

  /** Begins a sign-in with any passkey of this console. */
  async beginSignIn({ id: rpId }: RelyingParty): Promise<SignInStatement> {
    const nonce = newNonce();
    await this.store.challenge(nonce, SIGN_IN, {});
    return { purpose: SIGN_IN, rpId, nonce };
  }

  /** @returns null: it is not the signature of a passkey that may sign in */
  async signIn(
    nonce: string,
    response: AuthenticationResponseJSON,
    at: RelyingParty,
  ): Promise<SignedBy | null> {
    const taken = await this.store.takeChallenge(nonce, SIGN_IN);
    if (!taken) return null;
    return this.verify(response, { purpose: SIGN_IN, rpId: at.id, nonce }, at);
  }

  /**
   * Verifies that a passkey which counts has signed exactly this statement, with its user verified, and records the use.
   *
   * @returns null: it has not
   */
  async verify(
    response: AuthenticationResponseJSON,
    statement: PasskeyStatement,
    { id: rpId, origin }: RelyingParty,
  ): Promise<SignedBy | null> {
    const passkey = await this.store.find(response.id);
    if (!passkey || passkey.revokedAt !== null) return null;
    const counter = await this.counterAfter(response, passkey, { statement, rpId, origin });
    if (counter === null || !(await this.store.use(passkey.id, counter, this.operators))) return null;
    return { passkeyId: passkey.id, person: passkey.person };
  }

  private async counterAfter(
    response: AuthenticationResponseJSON,
    passkey: Passkey,
    { statement, rpId, origin }: { statement: PasskeyStatement; rpId: string; origin: string },
  ): Promise<number | null> {
    const { verifyAuthenticationResponse } = await webauthn();
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge: challengeOf(statement),
        expectedOrigin: origin,
        expectedRPID: rpId,
        requireUserVerification: true,
        credential: {
          id: passkey.id,
          publicKey: new Uint8Array(passkey.publicKey),
          counter: Number(passkey.counter),
        },
      });
      return verified ? authenticationInfo.newCounter : null;
    } catch {
      // The library throws for every fault of the caller's input, and does nothing else that can fail.
      return null;
    }
  }

  /** Begins to sign a decision. @param subject of the decision, which {@link takeDecision} returns once */
  beginDecision(subject: object, person: string, at: RelyingParty): Promise<SigningStart> {
    return this.beginSigning(DECISION, subject, person, at);
  }

  private async beginSigning(
    purpose: string,
    subject: object,
    person: string,
    { id: rpId }: RelyingParty,
  ): Promise<SigningStart> {
    const nonce = newNonce();
    await this.store.challenge(nonce, purpose, subject);
    const own = (await this.store.list()).filter((each) => each.person === person && each.revokedAt === null);
    return { rpId, nonce, existing: own.map(({ id }) => id) };
  }

  /** Uses the random number of a decision up. @returns null: it was used, is too old, or never was */
  takeDecision<Subject>(nonce: string): Promise<Subject | null> {
    return this.store.takeChallenge<Subject>(nonce, DECISION);
  }

  list(): Promise<readonly Passkey[]> {
    return this.store.list();
  }

  /**
   * Ends a passkey and its sessions, and announces it.
   *
   * @throws DomainError `passkey.not-found`
   */
  async revoke(id: string, actor: string, lanes: readonly string[]): Promise<Passkey> {
    const passkey = await this.store.find(id);
    if (!passkey) throw new DomainError('passkey.not-found', 'There is no passkey with this id.');
    const { person } = passkey;
    await this.store.revoke(id, { actor, lanes }, { event: 'passkey-revoked', by: actor, person });
    return passkey;
  }
}
