import { isIPv6 } from 'node:net';
import { readUrl } from '../../kernel/read-url';

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

/** Parses the URL of a request; null if it is not one. */
export function hostOf(url: string): AskedHost | null {
  const parsed = readUrl(url) ?? readUrl(`https://${url}`);
  if (!parsed || parsed.hostname === '') return null;
  const name = nameOf(parsed);
  const defaultPort = parsed.protocol === 'http:' ? '80' : parsed.protocol === 'https:' ? '443' : null;
  return { name, port: parsed.port, defaultPort, doubt: hostDoubt(url, name) };
}

/** The host's name without a last dot. An IPv4 address within an IPv6 address is the same host. */
function nameOf({ hostname }: URL): string {
  const [, high, low] = /^\[::ffff:(?:0:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname) ?? [];
  if (high === undefined || low === undefined) return hostname.replace(/\.$/, '');
  return [high, low]
    .map((part) => parseInt(part, 16))
    .flatMap((part) => [part >> 8, part & 255])
    .join('.');
}

const SCHEME = /^[a-z][a-z0-9+.-]*:[/\\]*/i;
const AUTHORITY = /^(?:[^/\\?#]*@)?(\[[^\]]*\]|[^/\\?#:]+)(?::(\d+)(?=[/\\?#]|$))?/;

/** The hosts that a program such as curl may read in a word: that of a URL, with any slashes or none, and a bare host. */
export function hostsOfWord(word: string): { readonly host: AskedHost; readonly isBare: boolean }[] {
  const scheme = SCHEME.exec(word)?.[0];
  const rest = scheme === undefined ? null : readHost(word.slice(scheme.length));
  const bare = readHost(isIPv6(word) ? `[${word}]` : word);
  return [...(rest ? [{ host: rest, isBare: false }] : []), ...(bare ? [{ host: bare, isBare: true }] : [])];
}

/** Names of letters that need no parser: they mean themselves. The last label of others may be a number. */
const PLAIN_HOST = /^(?:[a-z0-9-]{1,63}\.){0,9}[a-z][a-z0-9-]{0,62}$/i;

export function isPlainHost(word: string): boolean {
  return PLAIN_HOST.test(word) && !/xn--/i.test(word);
}

function readHost(text: string): AskedHost | null {
  if (isPlainHost(text)) return { name: text.toLowerCase(), port: '', defaultPort: null, doubt: null };
  const [, written, digits] = AUTHORITY.exec(text) ?? [];
  if (written === undefined) return null;
  // An address in brackets may have the name of an interface.
  const host = written.replace(/^(\[[^%]*)%.*\]$/, '$1]');
  const parsed = readUrl(`http://${host}`);
  // curl expands these by itself.
  const isExpanded = /[{}]|.\[|^\[.*-/.test(host);
  if (parsed === null && !isExpanded) return null;
  const doubt = isExpanded ? 'a host that is written as a pattern' : null;
  const port = digits === undefined ? '' : String(Number(digits));
  return { name: parsed === null ? '' : nameOf(parsed), port, defaultPort: null, doubt };
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
  const parsed = readUrl(`http://${host}`);
  if (!parsed) return 'is not a valid host';
  const isAddress = /^(?:[\d.]+|\[.*\])$/.test(parsed.hostname);
  if (isAddress && parsed.hostname !== host.toLowerCase())
    return `is an address; write it as ${parsed.hostname}`;
  if (wildcard && isAddress) return 'has a wildcard before an address; an address has no subdomains';
  return null;
}

/** The host of a pattern, or the one of which it matches the subdomains; null: it matches every host. */
export function hostPatternName(pattern: string): string | null {
  if (pattern === '*') return null;
  const { host = '' } = DOMAIN_OR_ADDRESS.exec(pattern)?.groups ?? {};
  const parsed = readUrl(`http://${host}`);
  return parsed ? nameOf(parsed) : host;
}

/**
 * Compiles a pattern of hosts: `*.example.org` matches every subdomain and not the domain itself. Without a port, one
 * that proves matches the default port, one that catches matches every port.
 */
export function compileHostPattern(pattern: string, use: 'prove' | 'catch'): HostPattern {
  const name = hostPatternName(pattern);
  if (name === null) return () => true;
  const { wildcard, port } = DOMAIN_OR_ADDRESS.exec(pattern)?.groups ?? {};
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
