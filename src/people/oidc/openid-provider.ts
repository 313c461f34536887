import { isNativeError } from 'node:util/types';
import type { Configuration, ServerMetadata } from 'openid-client';
import type { OidcAccount } from '../../access/oidc-account';
import type { Config } from '../../config/environment';
import { describeError } from '../../kernel/describe-error';
import { DomainError } from '../../kernel/errors';
import type { BegunSignIn } from './oidc-store';

export type OidcSettings = NonNullable<Config['oidc']>;

/** The library is loaded by the first sign-in; most processes never need it. */
const library = () => import('openid-client');

/** Time for one call of the provider; a person waits for two or three. */
const CALL_WITHIN_SECONDS = 10;

/** Failures of the provider itself or of its configuration, which the person at the browser cannot mend. */
const PROVIDER_FAULTS = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_PARSE_ERROR',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_MISSING_SERVER_METADATA',
  'OAUTH_INVALID_SERVER_METADATA',
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_REQUEST_PROTOCOL_FORBIDDEN',
]);

/** The cause is for the log. */
export const refused = (message: string, cause?: unknown): DomainError =>
  new DomainError('oidc.refused', message, { cause });

/**
 * Reads what the provider publishes about itself.
 *
 * @throws Error if it is not reachable, is another issuer, or cannot do what the sign-in needs
 */
export async function discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<Configuration> {
  const oidc = await library();
  // The configuration lets only loopback be without TLS.
  const isPlain = issuer.startsWith('http:');
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only so that it is seen
  const plain = isPlain ? { execute: [oidc.allowInsecureRequests] } : {};
  const configuration = await oidc.discovery(
    new URL(issuer),
    clientId,
    undefined,
    (server, client, body, headers) => {
      // Basic is the default of the standard; a provider that takes only the other way says so.
      const ways = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
      const authenticate = ways.includes('client_secret_basic')
        ? oidc.ClientSecretBasic(clientSecret)
        : oidc.ClientSecretPost(clientSecret);
      authenticate(server, client, body, headers);
    },
    { timeout: CALL_WITHIN_SECONDS, ...plain },
  );
  const fault = faultOf(configuration.serverMetadata(), isPlain);
  if (fault !== null) throw new Error(fault);
  // The signature of the ID token, also where TLS has shown the provider already.
  oidc.enableNonRepudiationChecks(configuration);
  return configuration;
}

/** The lack of a provider; null: it can do what the sign-in needs. */
function faultOf(server: Readonly<ServerMetadata>, isPlain: boolean): string | null {
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    const url = server[name];
    if (url === undefined || !URL.canParse(url)) return `the provider publishes no ${name}`;
    const { protocol } = new URL(url);
    if (protocol !== 'https:' && !(isPlain && protocol === 'http:')) return `its ${name} is not an https URL`;
  }
  if (server.response_types_supported?.includes('code') === false)
    return 'the provider has no authorization code flow (response type "code")';
  if (server.code_challenge_methods_supported?.includes('S256') === false)
    return 'the provider has no PKCE with S256';
  return null;
}

/** The address to which the browser goes to sign in. */
export async function authorizationUrl(
  configuration: Configuration,
  redirectUri: string,
  { state, nonce, codeVerifier }: BegunSignIn & { readonly state: string },
): Promise<string> {
  const oidc = await library();
  const url = oidc.buildAuthorizationUrl(configuration, {
    response_type: 'code',
    scope: 'openid email',
    redirect_uri: redirectUri,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
  });
  return url.href;
}

/**
 * Exchanges the provider's answer for the account: signature, issuer, audience, nonce, times and PKCE are verified.
 *
 * @param answer address to which the provider has sent the browser
 * @throws DomainError `oidc.refused` if it does not verify, `oidc.unavailable` if the provider fails
 */
export async function accountIn(
  configuration: Configuration,
  answer: URL,
  { state, nonce, codeVerifier }: BegunSignIn & { readonly state: string },
): Promise<OidcAccount> {
  const oidc = await library();
  try {
    const tokens = await oidc.authorizationCodeGrant(configuration, answer, {
      pkceCodeVerifier: codeVerifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (claims === undefined) throw refused('The sign-in provider sent no ID token.');
    const hasMore =
      claims.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined;
    const person = hasMore
      ? await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      : claims;
    const { email, email_verified: isVerified } = person;
    const verified = isVerified === true && typeof email === 'string' ? email.toLowerCase() : null;
    return { subject: claims.sub, email: verified };
  } catch (error) {
    throw toDomainError(error, oidc);
  }
}

function toDomainError(error: unknown, oidc: Awaited<ReturnType<typeof library>>): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof oidc.AuthorizationResponseError)
    return refused(`The sign-in provider has not let you in: ${codeIn(error.error)}.`, error);
  if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant')
    return refused('This sign-in was used before or took too long. Try again.', error);
  const { code } = error instanceof oidc.ClientError ? error : {};
  const isOfAnswer = code !== undefined && !PROVIDER_FAULTS.has(code);
  return isOfAnswer
    ? refused('The answer of the sign-in provider does not verify. Try again.', error)
    : unavailable(error);
}

/** An error code of RFC 6749; anything else could be a text of somebody else. */
const codeIn = (text: string): string => (/^[a-z_]{1,40}$/.test(text) ? text : 'error');

export const unavailable = (cause: unknown): DomainError =>
  new DomainError(
    'oidc.unavailable',
    'The sign-in provider does not answer as it should. Try again, or sign in with a passkey or an operator key.',
    { cause },
  );

/** The reason for the log: codes and messages, without the provider's answer, which may hold tokens. */
export function reasonOf({ cause, message }: DomainError): string {
  if (!(cause instanceof Error)) return message;
  const { code, error } = cause as { code?: unknown; error?: unknown };
  const codes = [code, typeof error === 'string' ? codeIn(error) : undefined];
  return [...codes.filter((each) => typeof each === 'string'), describeFailure(cause)].join(': ');
}

/** Like `describeError`, without a last cause that is not an error: it is often the answer itself. */
export function describeFailure(failure: unknown): string {
  if (!isNativeError(failure)) return describeError(failure);
  const { message, name, cause, code } = failure as Error & { readonly code?: string };
  return `${message || (code ?? name)}${isNativeError(cause) ? `: ${describeFailure(cause)}` : ''}`;
}
