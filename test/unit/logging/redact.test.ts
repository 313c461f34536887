import fc from 'fast-check';
import { parseConfig } from '../../../src/config/environment';
import { createLog, NestLog } from '../../../src/logging/log';
import { createRedactor } from '../../../src/logging/redact';

/** Put together here, so that no scanner takes this file for a leak. */
const made = (prefix: string, length: number, letters = 'A1b2C3d4') =>
  prefix + letters.repeat(Math.ceil(length / letters.length)).slice(0, length);

const JWT = [made('ey', 20, 'J0eXAi'), made('ey', 40, 'JzdWIi'), made('', 43)].join('.');
const PEM = ['-----BEGIN RSA PRIVATE', ' KEY-----\n', made('', 64), '\n-----END RSA PRIVATE KEY-----'].join(
  '',
);

/** Each with the part of it that must be gone. */
const SECRETS: readonly (readonly [what: string, text: string, canary: string])[] = [
  ['an agent key of ours', made('csa_', 43), made('', 43)],
  ['an operator key of ours', made('cso_', 43), made('', 43)],
  ['a bot token', made('123456789:', 35), made('', 35)],
  ['a bot token in a URL', `https://api.telegram.org/bot${made('123456789:', 35)}/sendMessage`, made('', 35)],
  ['an Anthropic key', made('sk-ant-api03-', 40), made('', 40)],
  ['an OpenAI key', made('sk-proj-', 40), made('', 40)],
  ['a Stripe key', made('sk_live_', 24), made('', 24)],
  ['a GitHub token', made('ghp_', 36), made('', 36)],
  ['a fine-grained GitHub token', made('github_pat_', 60), made('', 60)],
  ['a GitLab token', made('glpat-', 20), made('', 20)],
  ['a Slack token', made('xoxb-', 24), made('', 24)],
  ['a Slack app token', made('xapp-1-', 24), made('', 24)],
  ['a Slack webhook', made('https://hooks.slack.com/services/T0/B0/', 24), made('', 24)],
  ['an npm token', made('npm_', 36), made('', 36)],
  ['a Google key', made('AIza', 35), made('', 35)],
  ['an AWS access key id', made('AKIA', 16, 'Z7Y6'), made('', 16, 'Z7Y6')],
  ['an AWS secret key', `aws_secret_access_key=${made('', 40)}`, made('', 40)],
  ['a JWT', JWT, made('', 43)],
  ['a private key', PEM, made('', 64)],
  ['a bearer header', `Authorization: Bearer ${made('', 12)}`, made('', 12)],
  ['a basic header', `authorization: basic ${made('', 12)}`, made('', 12)],
  ['a password in a URL', `postgres://app:${made('', 8)}@db:5432/app`, made('', 8)],
  ['a password without a user', `redis://:${made('', 8)}@cache`, made('', 8)],
  ['a password in a query', `https://x.test/?user=a&password=${made('', 8)}&b=1`, made('', 8)],
  ['a password in JSON', JSON.stringify({ password: made('', 8) }), made('', 8)],
  ['a key in JSON', JSON.stringify({ apiKey: made('', 8) }), made('', 8)],
];

/** Places in a message that may hold a secret. */
const PLACES: readonly (readonly [where: string, put: (secret: string) => string])[] = [
  ['alone', (secret) => secret],
  ['in a sentence', (secret) => `it failed with ${secret}, said the server`],
  ['at the start of a line', (secret) => `first line\n${secret}\nlast line`],
  ['after an escape sequence', (secret) => `\u001b${secret}`],
  ['in quotes', (secret) => `"${secret}"`],
  ['in JSON in JSON', (secret) => JSON.stringify({ body: JSON.stringify({ said: secret }) })],
];

function logging(secrets: readonly string[] = []) {
  const lines: string[] = [];
  const options = { level: 'trace', format: 'json', secrets } as const;
  return { lines, log: createLog(options, { write: (line) => void lines.push(line) }) };
}

describe.each(SECRETS)('%s', (_what, secret, canary) => {
  it.each(PLACES)('%s leaves neither message, field nor stack', (_where, put) => {
    const { lines, log } = logging();
    const text = put(secret);
    log.event('error', 'test', { error: text, deep: { list: [text] }, stack: new Error(text).stack }, text);
    new NestLog(log).error(text, new Error(text).stack, 'Context');
    new NestLog(log).warn(new Error('outer', { cause: new Error(text) }), 'Context');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).not.toContain(canary);
      expect(line).toContain('[redacted]');
      expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  });
});

it('leaves alone what only resembles a secret', () => {
  const harmless = [
    'disk-usage-of-the-whole-filesystem is high; risk-assessment-completed',
    'the key is missing; token: getMe: 401: Unauthorized; password authentication failed for user "app"',
    'DATABASE_URL: must look like postgres://user:password@host:5432/database',
    'OPERATOR_API_KEY: required when TELEGRAM_BOT_TOKEN is set',
    'http://127.0.0.1:3000/api/approvals/0190a000-0000-7000-8000-000000000000?wait=55',
    'connect ECONNREFUSED 127.0.0.1:5432 at 2026-01-01T00:00:00.000Z',
    `sha256:${'0f'.repeat(32)}`,
  ];
  for (const text of harmless) expect(createRedactor()(text)).toBe(text);
});

it("takes out this process's own secrets whatever they look like, in every form in which they are written", () => {
  const odd = 'a "quoted" \\ key / with & everything';
  const redact = createRedactor([odd]);
  for (const text of [odd, JSON.stringify({ odd }), `https://x.test/${encodeURIComponent(odd)}`])
    expect(redact(text)).toContain('[redacted]');
  expect(redact(JSON.stringify({ odd, after: 1 }))).toBe('{"odd":"[redacted]","after":1}');
});

it('every secret of the environment is known to the log', () => {
  const environment = {
    AGENT_API_KEY: `agent-key-${'x'.repeat(30)}`,
    OPERATOR_API_KEY: `operator-key-${'y'.repeat(30)}`,
    DATABASE_URL: 'postgres://app:a-database-password@db/app',
    DATABASE_MIGRATION_URL: 'postgres://owner:the-owner-password@db/app',
    DATABASE_LISTEN_URL: 'postgres://app:the-listener-password@db/app',
    TELEGRAM_BOT_TOKEN: `1:${'z'.repeat(40)}`,
    TELEGRAM_CHAT_ID: '1',
    TELEGRAM_OPERATORS: '1',
    TELEGRAM_WEBHOOK_SECRET: 'a-webhook-secret-of-ours',
  };
  const { lines, log } = logging(parseConfig(environment).log.secrets);
  const canaries = [
    environment.AGENT_API_KEY,
    environment.OPERATOR_API_KEY,
    'a-database-password',
    'the-owner-password',
    'z'.repeat(40),
    environment.TELEGRAM_WEBHOOK_SECRET,
  ];
  for (const canary of canaries) log.event('info', 'test', { text: `-${canary}-` }, canary);
  for (const canary of canaries) expect(lines.join('\n')).not.toContain(canary);
});

it('never breaks a line of JSON, nor changes one that holds no secret', () => {
  const redact = createRedactor(['0123456789abcdef']);
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...SECRETS.map(([, text]) => text), ...PLACES.map(([, put]) => put('sk-'))),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.dictionary(piece, piece), (list, record) => {
      const text = JSON.stringify({ list, record });
      expect(() => JSON.parse(redact(text)) as unknown).not.toThrow();
    }),
  );
});
