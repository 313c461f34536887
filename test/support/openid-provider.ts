import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose';

export const CLIENT = { id: 'countersign', secret: 'test-secret-of-the-client-at-the-provider' };

/** An ID token that a test wants other than it should be. */
export interface Forgery {
  readonly claims?: JWTPayload;
  /** `none`: not signed; `HS256`: with the client's secret; `stranger`: with a key that the provider does not publish. */
  readonly signed?: 'none' | 'HS256' | 'stranger';
}

interface Code {
  readonly claims: JWTPayload;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly forgery: Forgery;
}

/** Accounts and answers of an OpenID provider, right or forged. Nobody has to sign in: a test says who did. */
export class ForgingProvider {
  private readonly codes = new Map<string, Code>();
  private readonly tokens = new Map<string, object>();
  /** Answer of the endpoint for claims in place of the account's; null: the account's. */
  userInfo: object | null = null;
  /** Status of every answer; null: as it should be. */
  fails: number | null = null;

  private constructor(
    private readonly server: Server,
    private readonly key: CryptoKey,
    private readonly stranger: CryptoKey,
    private readonly jwk: object,
  ) {}

  static async open(): Promise<ForgingProvider> {
    const [{ privateKey, publicKey }, stranger] = await Promise.all([
      generateKeyPair('RS256'),
      generateKeyPair('RS256'),
    ]);
    const server = createServer();
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    const provider = new ForgingProvider(server, privateKey, stranger.privateKey, jwk);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void provider.answer(request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Query of the address to which the browser would be sent back, after somebody with these claims has signed in. */
  async approve(url: string, claims: JWTPayload, forgery: Forgery = {}): Promise<string> {
    const { searchParams } = new URL(url);
    const asked = (name: string) => searchParams.get(name) ?? '';
    const code = createHash('sha256')
      .update(`${asked('state')}${this.codes.size}`)
      .digest('hex');
    const nonce = asked('nonce');
    this.codes.set(code, {
      claims: { nonce, ...claims },
      challenge: asked('code_challenge'),
      redirectUri: asked('redirect_uri'),
      forgery,
    });
    return Promise.resolve(
      `?${new URLSearchParams({ code, state: asked('state'), iss: this.issuer }).toString()}`,
    );
  }

  private async answer(request: IncomingMessage): Promise<[number, unknown]> {
    const { issuer } = this;
    if (this.fails !== null) return [this.fails, { error: 'server_error' }];
    switch (request.url) {
      case '/.well-known/openid-configuration':
        return [
          200,
          {
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            userinfo_endpoint: `${issuer}/claims`,
            jwks_uri: `${issuer}/jwks`,
            response_types_supported: ['code'],
            code_challenge_methods_supported: ['S256'],
            // More than it should: no answer may count for that.
            id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
            authorization_response_iss_parameter_supported: true,
          },
        ];
      case '/jwks':
        return [200, { keys: [this.jwk] }];
      case '/token':
        return this.exchange(request);
      case '/claims':
        return [
          200,
          this.userInfo ??
            this.tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''),
        ];
      case undefined:
      default:
        return [404, {}];
    }
  }

  private async exchange(request: IncomingMessage): Promise<[number, unknown]> {
    const [, basic = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    // RFC 6749, 2.3.1: both parts are form-encoded.
    const client = decodeURIComponent(Buffer.from(basic, 'base64').toString());
    if (client !== `${CLIENT.id}:${CLIENT.secret}`) return [401, { error: 'invalid_client' }];
    const body = new URLSearchParams(await text(request));
    const code = body.get('code') ?? '';
    const found = this.codes.get(code);
    this.codes.delete(code);
    const verifier = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (found?.challenge !== verifier || found.redirectUri !== body.get('redirect_uri'))
      return [400, { error: 'invalid_grant' }];
    const { sub, nonce, ...rest } = found.claims;
    this.tokens.set(code, { sub, ...rest });
    const id_token = await this.sign(
      { sub, nonce, ...found.forgery.claims } as JWTPayload,
      found.forgery.signed,
    );
    return [200, { access_token: code, token_type: 'Bearer', expires_in: 60, id_token }];
  }

  private sign(claims: JWTPayload, by: Forgery['signed']): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: this.issuer, aud: CLIENT.id, iat: now, exp: now + 60, ...claims };
    if (by === 'none') return Promise.resolve(new UnsecuredJWT(payload).encode());
    const isShared = by === 'HS256';
    const key = isShared ? Buffer.from(CLIENT.secret) : by === 'stranger' ? this.stranger : this.key;
    const header = { alg: isShared ? 'HS256' : 'RS256', ...(isShared ? {} : { kid: 'one' }) };
    return new SignJWT(payload).setProtectedHeader(header).sign(key);
  }
}
