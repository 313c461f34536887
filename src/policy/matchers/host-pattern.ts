/** The host of a URL, as every parser must understand it. */
export interface AskedHost {
  /** Lower case, punycode, addresses in their usual form. */
  readonly name: string;
  /** Empty for the default port of the scheme. */
  readonly port: string;
  /** The default port of the scheme; null unless that is http or https. */
  readonly defaultPort: '80' | '443' | null;
  /** The reason why another parser may find another host; null if there is none. */
  readonly doubt: string | null;
}

export type HostPattern = (host: AskedHost) => boolean;

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** Parses the URL of a request; null if it is not one. */
export function hostOf(url: string): AskedHost | null {
  const parsed = parseUrl(url) ?? parseUrl(`https://${url}`);
  if (!parsed || parsed.hostname === '') return null;
  const name = parsed.hostname.replace(/\.$/, '');
  const defaultPort = parsed.protocol === 'http:' ? '80' : parsed.protocol === 'https:' ? '443' : null;
  return { name, port: parsed.port, defaultPort, doubt: hostDoubt(url, name) };
}

/** Parsers differ on everything that this refuses. */
function hostDoubt(url: string, name: string): string | null {
  if (!/^https?:\/\//i.test(url)) return 'a URL that does not begin with http:// or https://';
  if (/[\s\\\p{Cc}\p{Default_Ignorable_Code_Point}]/u.test(url))
    return 'a URL with white space, a backslash or hidden characters';
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? '';
  if (authority.includes('@')) return 'a URL with a user name';
  const written = authority.replace(/:\d*$/, '').toLowerCase();
  return written === name ? null : `a host that is written in an unusual form ("${written}")`;
}

const DOMAIN_OR_ADDRESS =
  /^(?<wildcard>\*\.)?(?<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@*[\]\\]+)(?<port>:\d{1,5})?$/u;

/** The fault of a host pattern in words; null if it has none. */
export function hostPatternFault(pattern: string): string | null {
  if (pattern === '*') return null;
  const { wildcard, host } = DOMAIN_OR_ADDRESS.exec(pattern)?.groups ?? {};
  if (host === undefined) return 'is not a host; write "example.org", "*.example.org" or "example.org:8443"';
  const parsed = parseUrl(`http://${host}`);
  if (!parsed) return 'is not a valid host';
  const isAddress = /^(?:[\d.]+|\[.*\])$/.test(parsed.hostname);
  if (isAddress && parsed.hostname !== host.toLowerCase())
    return `is an address; write it as ${parsed.hostname}`;
  if (wildcard && isAddress) return 'has a wildcard before an address; an address has no subdomains';
  return null;
}

/**
 * Compiles a pattern of hosts: `*.example.org` matches every subdomain and not the domain itself. Without a port, one
 * that proves matches the default port, one that catches matches every port.
 */
export function compileHostPattern(pattern: string, use: 'prove' | 'catch'): HostPattern {
  if (pattern === '*') return () => true;
  const { wildcard, host = '', port } = DOMAIN_OR_ADDRESS.exec(pattern)?.groups ?? {};
  const name = (parseUrl(`http://${host}`)?.hostname ?? host).replace(/\.$/, '');
  return (asked) => {
    if (port === undefined ? use === 'prove' && asked.port !== '' : !hasPort(asked, port.slice(1), use))
      return false;
    return wildcard ? asked.name.endsWith(`.${name}`) : asked.name === name;
  };
}

/** A default port is empty in a parsed URL. Agents change http to https, so one that catches takes either. */
function hasPort({ port, defaultPort }: AskedHost, wanted: string, use: 'prove' | 'catch'): boolean {
  if (port !== '') return port === wanted;
  return use === 'prove' ? wanted === defaultPort : wanted === '443' || wanted === '80';
}
