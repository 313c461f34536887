import { z } from 'zod';
import { secret, section, setting, type ValuesOf } from './setting';

/** Where the rows of the audit log are sent. */
export type StreamTarget =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'endpoint'; readonly url: string };

const FORMS = 'must be file:/absolute/path, stdout, or an https URL (http on loopback)';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function targetOf(text: string, context: z.RefinementCtx<string>): StreamTarget {
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (text === 'stdout') return { kind: 'stdout' };
  const path = /^file:(?:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'file', path };
  if (!URL.canParse(text)) return refuse(FORMS);
  const { protocol, hostname, username, password } = new URL(text);
  if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.test(hostname))) return refuse(FORMS);
  if (username + password !== '')
    return refuse('must not hold a password; AUDIT_STREAM_HEADERS takes the header Authorization');
  return { kind: 'endpoint', url: text };
}

/** Header names and values of `name=value,name=value`; null if it is not of that form. */
export function headersIn(text: string): Record<string, string> | null {
  const entries = text.split(',').map((entry) => {
    const [, name = '', value = ''] =
      /^\s*([\w!#$%&'*+.^`|~-]+)=([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\s*$/.exec(entry) ?? [];
    try {
      return [name, decodeURIComponent(value)] as const;
    } catch {
      return ['', ''] as const;
    }
  });
  const wellFormed = entries.every(([name, value]) => name !== '' && /^[\x20-\x7e]+$/.test(value));
  return wellFormed ? Object.fromEntries(entries) : null;
}

export const AUDIT_STREAM = section('Audit stream', {
  AUDIT_STREAM: setting(
    'Where rows of the audit log are sent as JSON lines: `file:/path`, `stdout`, or the `https://…` URL of an OpenTelemetry ' +
      'collector for logs (OTLP over HTTP), such as `https://collector.example.com/v1/logs`',
    z.string().transform(targetOf).optional(),
    { unset: 'they stay in the database' },
  ),
  AUDIT_STREAM_HEADERS: secret(
    'Headers for that URL, `name=value,name=value`; percent signs and commas in a value as `%25` and `%2C`',
    z.string().refine((text) => headersIn(text) !== null, 'must look like name=value,name=value'),
  ),
});

export const auditStreamOf = (env: ValuesOf<typeof AUDIT_STREAM>) => ({
  auditStream:
    env.AUDIT_STREAM === undefined
      ? null
      : { to: env.AUDIT_STREAM, headers: headersIn(env.AUDIT_STREAM_HEADERS ?? '') ?? {} },
});
