import { z } from 'zod';
import { isLoopback } from './listening';
import { secret, section, setting, type ValuesOf } from './setting';

const consoleUrl = z
  .url({ protocol: /^https?$/, error: 'must be an https URL, such as https://countersign.example.com' })
  .refine((value) => {
    const { protocol, hostname } = new URL(value);
    return protocol === 'https:' || isLoopback(hostname);
  }, 'must be an https URL: a browser keeps the session only there')
  .refine(
    (value) => new URL(value).href === `${new URL(value).origin}/`,
    'must have no path; the console is at /console',
  )
  .transform((value) => new URL(value).origin);

/** Kept as it is written: a slash at the end is part of the issuer's name. */
const issuerUrl = z
  .url({ protocol: /^https?$/, error: 'must be an https URL, such as https://login.example.com' })
  .refine((value) => {
    const { protocol, hostname } = new URL(value);
    return protocol === 'https:' || isLoopback(hostname);
  }, 'must be an https URL (http on loopback)')
  .refine((value) => {
    const { search, hash, username, password } = new URL(value);
    return search + hash + username + password === '';
  }, 'must be the issuer alone, without query, fragment and user');

export const CONSOLE = section('Console', {
  CONSOLE_URL: setting(
    'Address at which browsers reach the service, without a path. Sessions of the console are valid only there, and with a ' +
      'loopback `HOST` at loopback names',
    consoleUrl.optional(),
    { unset: 'with a loopback `HOST` loopback names, with another `HOST` no console' },
  ),
  CONSOLE_ENABLED: setting(
    'Serve the console at `/console`',
    z
      .enum(['true', 'false'], 'must be true or false')
      .transform((value) => value === 'true')
      .optional(),
    { unset: 'with a loopback `HOST` or with `CONSOLE_URL` yes, otherwise no' },
  ),
  OIDC_ISSUER: setting(
    'Issuer of an OpenID provider with which people sign in to the console, exactly as its discovery document names it. Register ' +
      '`CONSOLE_URL` with the path `/console/oidc/callback` there as redirect URI. Only people whom the policy names by `email` or `subject` come in',
    issuerUrl.optional(),
    { unset: 'people sign in with passkeys and operator keys' },
  ),
  OIDC_CLIENT_ID: setting(
    'Client id of this installation at the provider',
    z.string().max(500, 'must have at most 500 characters').optional(),
    { unset: 'required with `OIDC_ISSUER`' },
  ),
  OIDC_CLIENT_SECRET: secret(
    'Client secret of this installation at the provider',
    z.string(),
    'required with `OIDC_ISSUER`',
  ),
});

/** `console` is null where there is none; its `url` is an origin. `oidc` is null without a provider. */
export const consoleSettingsOf = (env: ValuesOf<typeof CONSOLE> & { readonly HOST: string }) => {
  const url = env.CONSOLE_URL ?? null;
  const isOn = env.CONSOLE_ENABLED ?? (url !== null || isLoopback(env.HOST));
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = env;
  // That none is missing is a rule of faults.ts.
  const oidc =
    isOn && issuer !== undefined && clientId !== undefined && clientSecret !== undefined
      ? { issuer, clientId, clientSecret }
      : null;
  return { console: isOn ? { url } : null, oidc };
};
