import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { Configuration } from 'openid-client';
import { digestOf } from '../../access/api-key';
import type { OidcAccount } from '../../access/oidc-account';
import { CONFIG, type Config } from '../../config/environment';
import { Clock } from '../../kernel/clock';
import { DomainError } from '../../kernel/errors';
import { Log } from '../../logging/log';
import { OidcStore } from './oidc-store';
import { accountIn, authorizationUrl, discover, reasonOf, refused, unavailable } from './openid-provider';

/** Time after which the provider is asked again for its endpoints; its keys are read again when a new one signs. */
const REDISCOVER_MS = 60 * 60 * 1000;

/** 256 bits, as in a key. */
const newToken = (): string => randomBytes(32).toString('base64url');

/** The page of the console to which the provider sends the browser back. */
const CALLBACK = '/console/oidc/callback';

/** A person whom the provider has signed in. */
export interface OidcPerson extends OidcAccount {
  readonly person: string;
}

/** Signs people in at the OpenID provider of the installation. The active policy names them; nobody else comes in. */
@Injectable()
export class OidcSignIn implements OnModuleInit {
  private discovered: { readonly configuration: Promise<Configuration>; readonly atMs: number } | null = null;

  constructor(
    private readonly store: OidcStore,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Ends what accounts of another provider may still do. */
  async onModuleInit(): Promise<void> {
    const ended = await this.store.haveProvider(this.config.oidc?.issuer ?? null);
    if (ended === null) return;
    const fields = { provider: this.provider, ...ended };
    const replaced =
      'the sign-in provider is another one; sessions and open decisions of the one before have ended';
    this.log.event('warn', 'console.oidc-provider-replaced', fields, replaced);
  }

  /** Host name of the provider; null: there is none. */
  get provider(): string | null {
    return this.config.oidc && new URL(this.config.oidc.issuer).host;
  }

  /**
   * Begins a sign-in.
   *
   * @param origin of the console
   * @returns the provider's address for the browser, and the token that binds the sign-in to this browser
   * @throws DomainError `oidc.unavailable`
   */
  async begin(origin: string): Promise<{ readonly url: string; readonly browser: string }> {
    const configuration = await this.find().catch((error: unknown) => this.report(unavailable(error)));
    const state = newToken();
    const browser = newToken();
    const begun = { nonce: newToken(), codeVerifier: newToken() };
    await this.store.begin(digestOf(state), digestOf(browser), begun);
    return {
      url: await authorizationUrl(configuration, `${origin}${CALLBACK}`, { state, ...begun }),
      browser,
    };
  }

  /**
   * Ends a sign-in, once.
   *
   * @param answer query of the address to which the provider has sent the browser
   * @param browser token of the browser; null: it has none
   * @throws DomainError `oidc.refused`, `oidc.unavailable`
   */
  async finish(answer: string, browser: string | null, origin: string): Promise<OidcPerson> {
    const url = new URL(CALLBACK, origin);
    url.search = answer;
    const state = url.searchParams.get('state');
    const begun = state && browser && (await this.store.take(digestOf(state), digestOf(browser)));
    if (!begun)
      throw refused(
        'This sign-in was used before, took longer than ten minutes, or was begun in another browser. Try again.',
      );
    const configuration = await this.find().catch((error: unknown) => this.report(unavailable(error)));
    const account = await accountIn(configuration, url, { state, ...begun }).catch((error: unknown) =>
      this.report(error),
    );
    const person = await this.store.findPerson(account);
    if (person === null)
      throw refused(
        account.email === null
          ? 'The policy names no person with your account, and the provider has verified no e-mail address of yours. ' +
              `An admin may name you in "people" by your subject: ${JSON.stringify(account.subject)}.`
          : `The policy names no person with your account: an admin may add ${account.email} to "people".`,
      );
    return { person, ...account };
  }

  /** Reads what the provider publishes; asks it again after an hour and after a failure. */
  private find(): Promise<Configuration> {
    const { oidc } = this.config;
    if (oidc === null) throw refused('There is no sign-in provider here.');
    const nowMs = this.clock.monotonicMs();
    if (this.discovered === null || nowMs - this.discovered.atMs > REDISCOVER_MS) {
      const discovered = { configuration: discover(oidc), atMs: nowMs };
      discovered.configuration.catch(() => {
        if (this.discovered === discovered) this.discovered = null;
      });
      this.discovered = discovered;
    }
    return this.discovered.configuration;
  }

  /** Logs the reason, which the browser is not told. @throws error */
  private report(error: unknown): never {
    if (error instanceof DomainError) {
      const fields = { provider: this.provider, reason: reasonOf(error) };
      if (error.code === 'oidc.unavailable')
        this.log.event(
          'error',
          'console.oidc-unavailable',
          fields,
          'the sign-in provider fails; see "countersign doctor"',
        );
      else
        this.log.event(
          'warn',
          'console.oidc-refused',
          fields,
          'an answer of the sign-in provider was refused',
        );
    }
    throw error;
  }
}
