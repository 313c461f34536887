/** Removes secrets from a text. If the text is JSON, it stays JSON. */
export type Redact = (text: string) => string;

const REDACTED = '[redacted]';

/**
 * Minimum length of known secrets that are removed exactly. Shorter ones may be common words (a database password
 * `countersign`), and removing every occurrence would make the log unreadable. They are left to the shapes.
 */
const MIN_KNOWN_LENGTH = 16;

/** Matches where the prefix does not continue a word. In JSON, the letter before may belong to an escape such as \n. */
const afterNoWord = (prefix: string) => `${prefix}(?<=(?:^|[^\\w-]|\\\\[nrtbf]|\\\\u[0-9a-f]{4})${prefix})`;

/**
 * Patterns of secrets. Each begins with fixed letters, so that a text without secrets costs one pass. None can match
 * for long and then fail, so that a malicious text costs no more.
 */
const SHAPES = [
  // This service's keys, and tokens of Telegram bots.
  String.raw`cs[a-z]_[\w-]{30,}`,
  String.raw`(?<!\d)\d{5,20}:[\w-]{30,}`,
  // Anthropic, OpenAI and similar; Stripe.
  String.raw`${afterNoWord('sk-')}[\w-]{16,}`,
  String.raw`[sr]k_(?:live|test)_[A-Za-z0-9]{10,}`,
  // GitHub, GitLab, Slack, npm, Google, AWS.
  String.raw`gh[opsur]_[A-Za-z0-9]{30,}`,
  String.raw`github_pat_\w{30,}`,
  String.raw`glpat-[\w-]{20,}`,
  String.raw`xox[a-z]-[\w-]{10,}`,
  String.raw`xapp-[\w-]{10,}`,
  String.raw`hooks\.slack\.com\/services\/[\w/]{10,}`,
  String.raw`npm_[A-Za-z0-9]{36}`,
  String.raw`AIza[\w-]{35}`,
  String.raw`(?:AKIA|ASIA)[A-Z0-9]{16}`,
  // JSON Web Tokens, private keys.
  String.raw`${afterNoWord('eyJ')}[\w-]{5,}\.[\w-]{5,}\.[\w-]*`,
  String.raw`-----BEGIN[ A-Z]{0,40}PRIVATE KEY[ A-Z]{0,20}-----(?:[\w+/=\s:,.-]|\\{1,9}[nrt])*`,
];

/** Patterns of secrets that follow a telling prefix; the prefix stays. */
const INTRODUCED = [
  String.raw`(?<scheme>(?:Bearer|Basic)\s{1,9})[^\s"'\\]{8,}`,
  // https://user:secret@host; a literal "password" is an example in a message, not a secret.
  String.raw`(?<user>:\/\/[^\s:/?#@"'\\]*:)(?!password@)[^\s/"'\\]+(?=@)`,
  // password=…, "apiKey":"…", also in JSON inside JSON.
  String.raw`(?<name>(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?)(?:=|\\{0,9}["']\s{0,9}:\s{0,9}\\{0,9}["'])\\{0,9}["']?)[^\s"'\\,;&}]{4,}`,
];

const PATTERN = new RegExp([...SHAPES, ...INTRODUCED].join('|'), 'gi');

interface Kept {
  readonly scheme?: string;
  readonly user?: string;
  readonly name?: string;
}

function replacement(...match: unknown[]): string {
  const { scheme, user, name } = match.at(-1) as Kept;
  return `${scheme ?? user ?? name ?? ''}${REDACTED}`;
}

/** Forms in which a secret may occur in a text: as it is, inside a JSON string, inside a URL. */
const writtenForms = (secret: string) => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
];

/** @param known secrets of this process, which are removed whatever they look like. */
export function createRedactor(known: readonly string[] = []): Redact {
  const exact = [
    ...new Set(known.filter(({ length }) => length >= MIN_KNOWN_LENGTH).flatMap(writtenForms)),
  ].toSorted((a, b) => b.length - a.length);
  return (text) => {
    const left = exact.reduce((rest, secret) => rest.replaceAll(secret, REDACTED), text);
    return left.replace(PATTERN, replacement);
  };
}
