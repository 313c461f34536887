import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '../../config/environment';
import { DomainError } from '../../kernel/errors';
import { digestOf } from '../api-key';
import { accountOf, oidcAccountOf, type Identity } from '../identity';
import { KeyRing } from '../key-ring';
import { perMinute, take } from '../process-rate-limits';
import { sourceOf } from '../source';
import { Standing } from '../standing';
import { CONSOLE_HEADER, consoleOriginOf, isSecure, isSentByConsole } from './console-origin';
import type { OidcAccount } from '../oidc-account';
import { readCookie, SESSION, writeCookie } from './session-cookie';
import { SessionStore, type Holder, type StoredSession } from './session-store';
import { SessionWatch } from './session-watch';

/** 256 bits, as in a key. */
const TOKEN_BYTES = 32;
/** Tries of one source within a minute that do not sign in. */
const FAILURES_PER_MINUTE = 20;

const READING = new Set(['GET', 'HEAD']);

type Call = Pick<FastifyRequest, 'headers' | 'ip' | 'method'>;

const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

const notFromConsole = () =>
  new DomainError(
    'access.cross-site',
    'With a session of the console, only its own page may send this; sign in again there. Programs use an API key.',
  );

/** True if the request has the secret of the session's page. */
function isFromPage({ headers }: Call, { pageDigest }: StoredSession): boolean {
  const secret = headers[CONSOLE_HEADER];
  return typeof secret === 'string' && timingSafeEqual(digestOf(secret), pageDigest);
}

/** For the answer to a sign-in: the `Set-Cookie` header, and the secret for the page. */
export interface OpenedSession {
  readonly cookie: string;
  readonly pageSecret: string;
}

const sessionEnded = () =>
  new DomainError('access.unauthenticated', 'This session has ended; sign in again.');

/** Ends with the session itself, and with the key for which it stands. */
class SessionStanding extends Standing {
  constructor(
    private readonly key: Standing,
    private readonly sessions: SessionWatch,
    private readonly digest: Buffer,
    private readonly isLive: () => Promise<boolean>,
  ) {
    super();
  }

  override watch(call: AbortController): void {
    this.key.watch(call);
    this.sessions.watch(this.digest, call);
  }

  override release(call: AbortController): void {
    this.key.release(call);
    this.sessions.release(this.digest, call);
  }

  override async confirm(): Promise<void> {
    await this.key.confirm();
    if (!(await this.isLive())) throw sessionEnded();
  }
}

/** Ends with the session of a person: at its sign-out, with the passkey or the account at the provider, and with the person. */
class PersonStanding extends Standing {
  constructor(
    private readonly sessions: SessionWatch,
    private readonly digest: Buffer,
    private readonly isLive: () => Promise<boolean>,
  ) {
    super();
  }

  override watch(call: AbortController): void {
    this.sessions.watch(this.digest, call);
  }

  override release(call: AbortController): void {
    this.sessions.release(this.digest, call);
  }

  override async confirm(): Promise<void> {
    if (!(await this.isLive())) throw sessionEnded();
  }
}

function personIdentity(person: string, hasPasskey: boolean, standing: Standing): Identity {
  const common = { owner: person, role: 'operator', channel: 'console', standing } as const;
  return hasPasskey
    ? { ...common, keyId: accountOf(person), person }
    : { ...common, keyId: oidcAccountOf(person) };
}

/**
 * The sessions of browsers at the console. A session is another way to be the holder of an API key: it has its role and
 * its owner, and ends with it. The session of a passkey or of the OpenID provider belongs to its person, and ends with either.
 * Nothing of it is kept in memory, so each replica knows at once what ended.
 */
@Injectable()
export class Sessions {
  private readonly attempts = perMinute(FAILURES_PER_MINUTE);

  constructor(
    private readonly store: SessionStore,
    private readonly keys: KeyRing,
    private readonly watch: SessionWatch,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** True if the request has a session's cookie and is addressed to the console. */
  isPresented(call: Call): boolean {
    return this.tokenOf(call) !== null;
  }

  /**
   * Finds the holder of the request's session; null: there is none, or it has ended.
   *
   * @throws DomainError `access.cross-site` for a change that another page sends, `database.unavailable`
   */
  async identify(call: Call): Promise<Identity | null> {
    const token = this.tokenOf(call);
    if (token === null) return null;
    const isReading = READING.has(call.method);
    if (!isReading) this.requireConsole(call);
    const digest = digestOf(token);
    const found = await this.store.find(digest, true);
    if (found && !isReading && !isFromPage(call, found)) throw notFromConsole();
    const isLive = async () => (await this.store.find(digest, false)) !== null;
    const standsFor = found?.person ?? found?.oidcPerson;
    if (found && standsFor) {
      const standing = new PersonStanding(this.watch, digest, isLive);
      return personIdentity(standsFor, found.person !== null, standing);
    }
    const identity = found && (await this.keys.identifyDigest(found.keyDigest));
    if (identity?.role !== 'operator') return null;
    const standing = new SessionStanding(identity.standing, this.watch, digest, isLive);
    return { ...identity, channel: 'console', standing };
  }

  /** Like {@link identify}, for a page that asks if it can go on: null also without the secret. */
  async identifyPage(call: Call): Promise<Identity | null> {
    const token = this.tokenOf(call);
    const found = token && (await this.store.find(digestOf(token), false));
    return found && isFromPage(call, found) ? this.identify(call) : null;
  }

  /**
   * Exchanges an operator's key for a session. Only failures count against the limit: a valid key always signs in.
   *
   * @returns null: the key is not valid for the console
   * @throws DomainError `access.cross-site`; RateLimited
   */
  async signIn(call: Call, key: string): Promise<OpenedSession | null> {
    this.requireConsole(call);
    return (await this.open(call, digestOf(key))) ?? this.countFailure(call);
  }

  /** Like {@link signIn}, with a link's token, which is used up. */
  async signInByLink(call: Call, link: string): Promise<OpenedSession | null> {
    this.requireConsole(call);
    const keyDigest = await this.store.useLink(digestOf(link));
    return (keyDigest && (await this.open(call, keyDigest))) ?? this.countFailure(call);
  }

  /**
   * Opens a session of a passkey that has just signed.
   *
   * @throws DomainError `access.cross-site`
   */
  async signInByPasskey(call: Call, passkeyId: string, person: string): Promise<OpenedSession> {
    return this.begin(call, `console:${accountOf(person)}`, null, { passkeyId, oidc: null });
  }

  /**
   * Opens a session of a person whom the OpenID provider has just signed in.
   *
   * @throws DomainError `access.cross-site`
   */
  async signInByProvider(
    call: Call,
    oidc: OidcAccount & { readonly person: string },
  ): Promise<OpenedSession> {
    return this.begin(call, `console:${oidcAccountOf(oidc.person)}`, null, { passkeyId: null, oidc });
  }

  /** The origin of the console as the caller addresses it. @throws DomainError `access.cross-site` */
  requireConsole(call: Call): string {
    const origin = consoleOriginOf(call, this.config);
    if (origin === null || !isSentByConsole(call, origin)) throw notFromConsole();
    return origin;
  }

  /** Makes a token that signs in once, within 15 minutes, as the holder of the key. */
  async makeLink(key: string, { keyId }: Identity): Promise<string> {
    const token = newToken();
    await this.store.addLink({ digest: digestOf(token), keyDigest: digestOf(key), actor: `api:${keyId}` });
    return token;
  }

  /**
   * Ends the request's session, if it has one.
   *
   * @param isEverywhere ends all sessions of its key, or of its person
   * @returns the `Set-Cookie` header that removes the cookie
   */
  async signOut(call: Call, isEverywhere: boolean): Promise<string> {
    const origin = this.requireConsole(call);
    const token = this.tokenOf(call);
    const found = token && (await this.store.find(digestOf(token), false));
    if (token && found) {
      if (!isFromPage(call, found)) throw notFromConsole();
      const { keyDigest, oidcPerson } = found;
      const person = found.person ?? oidcPerson;
      const account = person && (found.person === null ? oidcAccountOf(person) : accountOf(person));
      const { keyId } = (await this.keys.identifyDigest(keyDigest)) ?? { keyId: 'unknown' };
      const signIn = { digest: digestOf(token), keyDigest, actor: `console:${account ?? keyId}` };
      await this.store.close(signIn, isEverywhere, person);
    }
    return writeCookie(SESSION, null, isSecure(origin));
  }

  private async open(call: Call, keyDigest: Buffer): Promise<OpenedSession | null> {
    const identity = await this.keys.identifyDigest(keyDigest);
    if (identity?.role !== 'operator') return null;
    return this.begin(call, `console:${identity.keyId}`, keyDigest, { passkeyId: null, oidc: null });
  }

  private async begin(
    call: Call,
    actor: string,
    keyDigest: Buffer | null,
    holder: Holder,
  ): Promise<OpenedSession> {
    const origin = this.requireConsole(call);
    // Always a new one: a token that the browser brought may be known to somebody else.
    const token = newToken();
    const pageSecret = newToken();
    const brought = this.tokenOf(call);
    const digest = digestOf(token);
    const signIn = { digest, keyDigest: keyDigest ?? digest, actor };
    await this.store.open(signIn, digestOf(pageSecret), brought === null ? null : digestOf(brought), holder);
    return { cookie: writeCookie(SESSION, token, isSecure(origin)), pageSecret };
  }

  /** Counts a failed attempt. @throws RateLimited */
  async countFailure(call: Pick<Call, 'ip'>): Promise<null> {
    await take(this.attempts, sourceOf(call.ip), 'attempts to sign in');
    return null;
  }

  private tokenOf(call: Call): string | null {
    const origin = consoleOriginOf(call, this.config);
    return origin === null ? null : readCookie(SESSION, call.headers.cookie, isSecure(origin));
  }
}
