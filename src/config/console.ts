import { z } from 'zod';
import { isLoopback } from './listening';
import { section, setting, type ValuesOf } from './setting';

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
});

/** `console` is null where there is none; its `url` is an origin. */
export const consoleSettingsOf = (env: ValuesOf<typeof CONSOLE> & { readonly HOST: string }) => {
  const url = env.CONSOLE_URL ?? null;
  const isOn = env.CONSOLE_ENABLED ?? (url !== null || isLoopback(env.HOST));
  return { console: isOn ? { url } : null };
};
