import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { Page } from 'playwright-core';
import { challengeOf, type PasskeyStatement } from '../../src/kernel/passkey-statement';
import { Passkeys } from '../../src/people/passkeys/passkeys';
import type { OpenApp } from './open-app';
import type { TestDatabase } from './database';

/** Browsers make no passkeys for an IP address. */
export const localhostOf = ({ url }: Pick<OpenApp, 'url'>): string => `http://localhost:${new URL(url).port}`;

/** The token of a link with which the person makes the first passkey, as `countersign people invite` makes it. */
export const inviteTo = (app: OpenApp, person: string): Promise<string> =>
  app.get(Passkeys).invite(person, 'cli:test', true);

/** A passkey device of the browser, which answers by itself (DevTools protocol, domain WebAuthn). */
export async function plugIn(page: Page, { verifiesUser = true } = {}): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: verifiesUser,
      automaticPresenceSimulation: true,
    },
  });
  return async () => {
    await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
  };
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();

const PRESENT = 0x01;
const VERIFIED = 0x04;
const HAS_CREDENTIAL = 0x40;

export interface Signature {
  readonly credentialId: string;
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}

/** A passkey in software, which signs whatever a test wants. */
export class SoftPasskey {
  private readonly id = randomBytes(32);
  private readonly key: KeyObject;
  private readonly point: { readonly x: string; readonly y: string };

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.key = privateKey;
    this.point = { x, y };
  }

  get credentialId(): string {
    return base64url(this.id);
  }

  get jwk() {
    return { kty: 'EC', crv: 'P-256', ...this.point };
  }

  /** COSE_Key: kty EC2, alg ES256, crv P-256, x, y. */
  get coseKey(): Buffer {
    return Buffer.concat([
      Buffer.from('a5010203262001215820', 'hex'),
      Buffer.from(this.point.x, 'base64url'),
      Buffer.from('225820', 'hex'),
      Buffer.from(this.point.y, 'base64url'),
    ]);
  }

  /** Puts the passkey into the database, as an enrolment does. */
  async enrol(database: TestDatabase, person: string): Promise<this> {
    await database.query(
      `insert into passkeys (id, person, public_key, counter, is_first, made_by, created_at)
       values ($1, $2, $3, 0, false, 'test', now())`,
      [this.credentialId, person, this.coseKey],
    );
    return this;
  }

  sign(
    statement: PasskeyStatement,
    origin: string,
    { type = 'webauthn.get', flags = PRESENT | VERIFIED } = {},
  ): Signature {
    const clientData = Buffer.from(
      JSON.stringify({ type, challenge: challengeOf(statement), origin, crossOrigin: false }),
    );
    const authenticatorData = Buffer.concat([sha256(statement.rpId), Buffer.from([flags, 0, 0, 0, 0])]);
    const signature = sign('sha256', Buffer.concat([authenticatorData, sha256(clientData)]), this.key);
    return {
      credentialId: this.credentialId,
      authenticatorData: base64url(authenticatorData),
      clientDataJSON: base64url(clientData),
      signature: base64url(signature),
    };
  }

  /** The answer of a device that makes this passkey, without an attestation. */
  create(
    statement: PasskeyStatement,
    origin: string,
    flags = PRESENT | VERIFIED,
  ): { credentialId: string; attestationObject: string; clientDataJSON: string } {
    const clientData = { type: 'webauthn.create', challenge: challengeOf(statement), origin };
    const data = Buffer.concat([
      sha256(statement.rpId),
      Buffer.from([flags | HAS_CREDENTIAL, 0, 0, 0, 0]),
      Buffer.alloc(16),
      Buffer.from([0, this.id.length]),
      this.id,
      this.coseKey,
    ]);
    // {"fmt": "none", "attStmt": {}, "authData": bytes}
    const attestation = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746159', 'hex'),
      Buffer.from([data.length >> 8, data.length & 0xff]),
      data,
    ]);
    return {
      credentialId: this.credentialId,
      attestationObject: base64url(attestation),
      clientDataJSON: base64url(Buffer.from(JSON.stringify({ ...clientData, crossOrigin: false }))),
    };
  }
}
