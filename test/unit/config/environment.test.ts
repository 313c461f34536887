import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../../src/config/environment';
import { ConfigurationError } from '../../../src/config/faults';
import { secretsIn, withoutSecrets } from '../../../src/config/secrets';

const TOKEN = `123456789:${'t'.repeat(35)}`;
const KEY = 'k'.repeat(32);
const TELEGRAM = {
  TELEGRAM_BOT_TOKEN: TOKEN,
  TELEGRAM_CHAT_ID: '-1001',
  TELEGRAM_OPERATORS: '1:Olivia, 2',
};

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

const namesOf = (env: Record<string, string>) => faultsOf(env).map((fault) => fault.split(':')[0]);

describe('defaults', () => {
  it('are those of the environment table when nothing is set', () => {
    expect(parseConfig({})).toEqual({
      http: {
        host: '127.0.0.1',
        port: 3000,
        publicHosts: null,
        loopback: true,
        bodyLimitBytes: 4_194_304,
        maxWaitingPerKey: 1000,
      },
      console: { url: null },
      oidc: null,
      dataDir: '.data',
      database: { url: null, migrationUrl: null, listenUrl: null, poolSize: 10 },
      keys: { agent: null, operator: null },
      shutdown: { noticeSeconds: 0 },
      signing: { key: null },
      telegram: null,
      breaker: {
        consecutiveFailures: 5,
        failureRate: 0.5,
        minimumThroughput: 10,
        samplingSeconds: 30,
        breakSeconds: 30,
      },
      escalation: { leaseSeconds: 30, budget: { perSecond: 30, chatPerSecond: 1, groupPerMinute: 20 } },
      approvals: {
        defaultTimeoutSeconds: 30 * 60,
        maxTimeoutSeconds: 120 * 60,
        sweepIntervalSeconds: 5,
        gracePeriodSeconds: 0,
        sweepBatchSize: 500,
        warningSeconds: 5 * 60,
        maxPendingPerAgent: 1000,
        grantUsesPerMinute: 30,
        maxPendingBytesPerAgent: 67_108_864,
        retentionDays: 90,
      },
      policy: { file: null },
      digest: { intervalMinutes: 60 },
      rateLimits: { agentPerMinute: 600, agentBytesPerHour: 268_435_456, operatorPerMinute: 60 },
      connector: { hookDeadlineSeconds: 570 },
      audit: { checkpointFile: join('.data', 'audit-checkpoints.jsonl') },
      auditStream: null,
      metrics: { public: false, listener: null },
      sandbox: { port: 8081 },
      log: { level: 'info', format: 'json', secrets: [] },
      tracing: { endpoint: null },
    });
  });

  it.each([
    ['-1001234567890', '0'],
    ['-1001234567890/17', '17'],
    // In links General has the number 1, and no thread in the Bot API.
    ['-1001234567890/1', '0'],
  ])('TELEGRAM_CHAT_ID %s is a supergroup, in it the topic %s', (value, threadId) => {
    const { telegram } = parseConfig({ ...TELEGRAM, TELEGRAM_CHAT_ID: value });
    expect(telegram).toMatchObject({ chatId: '-1001234567890', threadId });
  });

  it('of Telegram are those of the environment table once a bot is given', () => {
    expect(parseConfig(TELEGRAM).telegram).toEqual({
      token: TOKEN,
      chatId: '-1001',
      threadId: '0',
      operators: [
        { id: '1', name: 'Olivia' },
        { id: '2', name: '2' },
      ],
      apiRoot: 'https://api.telegram.org',
      webhook: null,
      retry: {
        maxAttempts: 3,
        initialDelayMs: 1000,
        maxDelayMs: 16_000,
        jitter: true,
        on: [429, 500, 502, 503, 504],
      },
    });
  });

  it('log prettily on a terminal only, and as told when told', () => {
    expect(parseConfig({}, true).log.format).toBe('pretty');
    expect(parseConfig({ LOG_FORMAT: 'json' }, true).log.format).toBe('json');
  });

  it('stand for variables that are set to nothing, as compose files pass them', () => {
    expect(parseConfig({ PORT: '', TELEGRAM_BOT_TOKEN: '', DATABASE_URL: '' })).toEqual(parseConfig({}));
  });
});

describe('the configuration', () => {
  it('is frozen all the way down', () => {
    const notFrozen = (value: unknown, path: string): string[] =>
      typeof value !== 'object' || value === null
        ? []
        : [
            ...(Object.isFrozen(value) ? [] : [path]),
            ...Object.entries(value).flatMap(([key, inner]) => notFrozen(inner, `${path}.${key}`)),
          ];
    expect(notFrozen(parseConfig({ ...TELEGRAM, TELEGRAM_MODE: 'polling' }), 'config')).toEqual([]);
  });

  it('takes every variable it is given', () => {
    const config = parseConfig({
      HOST: '0.0.0.0',
      PORT: '8080',
      DATABASE_URL: 'postgres://u:p@db:5432/app',
      DATABASE_MIGRATION_URL: 'postgresql://owner@db/app',
      DATABASE_LISTEN_URL: 'postgres://u:p@behind:5432/app',
      DATABASE_POOL_SIZE: '3',
      AGENT_API_KEY: KEY,
      APPROVAL_DEFAULT_TIMEOUT_MINUTES: '10',
      APPROVAL_MAX_TIMEOUT_MINUTES: '20',
      APPROVAL_WARNING_MINUTES: '0',
      CIRCUIT_BREAKER_FAILURE_RATE: '0.25',
      PUBLIC_HOSTS: ' Approvals.example.com,10.0.0.1, ',
      METRICS_PUBLIC: 'true',
      METRICS_PORT: '9464',
      METRICS_HOST: '10.0.0.1',
      AUDIT_CHECKPOINT_FILE: '/var/lib/audit.jsonl',
      HTTP_BODY_LIMIT_KIB: '128',
      HTTP_MAX_WAITING_PER_KEY: '50',
    });
    expect(config.http).toEqual({
      host: '0.0.0.0',
      port: 8080,
      loopback: false,
      publicHosts: ['approvals.example.com', '10.0.0.1'],
      bodyLimitBytes: 131_072,
      maxWaitingPerKey: 50,
    });
    expect(config.database).toEqual({
      url: 'postgres://u:p@db:5432/app',
      migrationUrl: 'postgresql://owner@db/app',
      listenUrl: 'postgres://u:p@behind:5432/app',
      poolSize: 3,
    });
    expect(config.keys.agent).toBe(KEY);
    expect(config.approvals).toMatchObject({
      defaultTimeoutSeconds: 600,
      maxTimeoutSeconds: 1200,
      warningSeconds: 0,
    });
    expect(config.breaker.failureRate).toBe(0.25);
    expect(config.metrics).toEqual({ public: true, listener: { host: '10.0.0.1', port: 9464 } });
    expect(config.audit.checkpointFile).toBe('/var/lib/audit.jsonl');
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.example.org', false],
    ['localhost.example.org', false],
  ])('knows whether HOST %s is this machine only: %s', (HOST, loopback) => {
    expect(parseConfig({ HOST }).http.loopback).toBe(loopback);
  });
});

describe('faults', () => {
  it('are all told at once, each with the name of its variable', () => {
    const env = {
      PORT: 'eighty',
      DATABASE_POOL_SIZE: '0',
      TELEGRAM_BOT_TOKEN: 'not-a-token',
      APPROVAL_TIMEOUT: '5',
      LOG_LEVEL: 'loud',
    };
    expect(namesOf(env).sort()).toEqual([
      'APPROVAL_TIMEOUT',
      'DATABASE_POOL_SIZE',
      'LOG_LEVEL',
      'PORT',
      'TELEGRAM_BOT_TOKEN',
      'TELEGRAM_CHAT_ID',
      'TELEGRAM_OPERATORS',
    ]);
  });

  it('stand one a line in the message that stops the start', () => {
    expect(() => parseConfig({ PORT: '-1', METRICS_PUBLIC: 'yes' })).toThrow(
      /^Configuration is wrong:\n {2}- PORT: .+\n {2}- METRICS_PUBLIC: must be true or false$/,
    );
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '3000.5'],
    ['PORT', ' 3000'],
    ['APPROVAL_SWEEP_INTERVAL_SECONDS', '0'],
    ['APPROVAL_GRACE_PERIOD_SECONDS', '-1'],
    ['CIRCUIT_BREAKER_FAILURE_RATE', '0'],
    ['CIRCUIT_BREAKER_FAILURE_RATE', '1.5'],
    ['DATABASE_URL', 'mysql://localhost/app'],
    ['AGENT_API_KEY', 'k'.repeat(31)],
    ['OPERATOR_API_KEY', `${'k'.repeat(32)} with spaces`],
    ['TELEGRAM_API_ROOT', 'ftp://files'],
    ['TELEGRAM_RETRY_ON', '429;500'],
    ['TELEGRAM_RETRY_ON', '429,999'],
    ['TELEGRAM_RETRY_ON', '399'],
    ['TELEGRAM_CHAT_ID', '9999999999999999999'],
    ['TELEGRAM_CHAT_ID', String(-(2 ** 52))],
    ['TELEGRAM_CHAT_ID', '-01001'],
    ['TELEGRAM_CHAT_ID', '0'],
    ['TELEGRAM_CHAT_ID', '-1001234567890/'],
    ['TELEGRAM_CHAT_ID', '-1001234567890/0'],
    ['TELEGRAM_CHAT_ID', '-1001234567890/017'],
    ['TELEGRAM_CHAT_ID', '-1001234567890/2147483648'],
    ['TELEGRAM_CHAT_ID', '-1001234567890/17/18'],
    ['TELEGRAM_CHAT_ID', '-1001/17'],
    ['TELEGRAM_CHAT_ID', '4711/17'],
    ['TELEGRAM_MODE', 'carrier-pigeon'],
    ['METRICS_PUBLIC', '1'],
    ['METRICS_PORT', '65536'],
    ['METRICS_PORT', '3000'],
    ['PUBLIC_HOSTS', 'https://approvals.example.com'],
    ['PUBLIC_HOSTS', 'approvals.example.com:443'],
    ['PUBLIC_HOSTS', '-x'],
    ['LOG_FORMAT', 'xml'],
  ])('name %s for the value %j', (name, value) => {
    expect(namesOf({ [name]: value })).toContain(name);
  });

  it.each([
    'APPROVAL_TIMEOUT_MINUTES',
    'TELEGRAM_TOKEN',
    'CIRCUIT_BREAKER_FAILURES',
    'DATABASE_HOST',
    'ESCALATION_X',
    'CONNECTOR_X',
    'RATE_LIMIT_X',
    'AUDIT_X',
    'TELEGRAM_CHAT_ID_FILE',
  ])('name the unknown variable %s of ours', (name) => {
    expect(faultsOf({ [name]: 'x' })).toEqual([expect.stringMatching(`^${name}: unknown variable`)]);
  });

  it('name an unknown variable of ours that is set to nothing, too', () => {
    expect(faultsOf({ APPROVAL_FOO: '' })).toEqual([
      expect.stringMatching('^APPROVAL_FOO: unknown variable'),
    ]);
  });

  it('do not concern strangers', () => {
    expect(faultsOf({ PATH: '/bin', NODE_ENV: 'test', HOME: '/root', PGHOST: 'db' })).toEqual([]);
  });

  it('never quote a secret', () => {
    const secret = 'hunter2hunter2';
    const env = {
      AGENT_API_KEY: secret,
      TELEGRAM_BOT_TOKEN: secret,
      TELEGRAM_WEBHOOK_SECRET: `${secret}!`,
      DATABASE_URL: `mysql://user:${secret}@db/app`,
    };
    expect(faultsOf(env).join('\n')).not.toContain(secret);
    expect(faultsOf(env).length).toBeGreaterThanOrEqual(4);
  });
});

describe('rules between variables', () => {
  it.each([
    ['a token without a chat', { ...TELEGRAM, TELEGRAM_CHAT_ID: '' }, ['TELEGRAM_CHAT_ID']],
    ['a token without operators', { ...TELEGRAM, TELEGRAM_OPERATORS: '' }, ['TELEGRAM_OPERATORS']],
    [
      'a token with an empty list of operators',
      { ...TELEGRAM, TELEGRAM_OPERATORS: ' , ' },
      ['TELEGRAM_OPERATORS'],
    ],
    ['a chat without a token', { TELEGRAM_CHAT_ID: '-1' }, ['TELEGRAM_BOT_TOKEN']],
    [
      'webhook mode without address and secret',
      { ...TELEGRAM, TELEGRAM_MODE: 'webhook' },
      ['TELEGRAM_WEBHOOK_URL', 'TELEGRAM_WEBHOOK_SECRET'],
    ],
    [
      'a first delay above the longest',
      { TELEGRAM_RETRY_INITIAL_DELAY_MS: '2000', TELEGRAM_RETRY_MAX_DELAY_MS: '1000' },
      ['TELEGRAM_RETRY_INITIAL_DELAY_MS'],
    ],
    [
      'a default timeout above the maximum',
      { APPROVAL_DEFAULT_TIMEOUT_MINUTES: '60', APPROVAL_MAX_TIMEOUT_MINUTES: '30' },
      ['APPROVAL_DEFAULT_TIMEOUT_MINUTES'],
    ],
    [
      'a default timeout above the maximum that stands when none is set',
      { APPROVAL_DEFAULT_TIMEOUT_MINUTES: '121' },
      ['APPROVAL_DEFAULT_TIMEOUT_MINUTES'],
    ],
    ['an owner without a database', { DATABASE_MIGRATION_URL: 'postgres://owner@db/app' }, ['DATABASE_URL']],
    ['a listener without a database', { DATABASE_LISTEN_URL: 'postgres://app@db/app' }, ['DATABASE_URL']],
    ['headers of a stream that has none', { AUDIT_STREAM_HEADERS: 'a=b' }, ['AUDIT_STREAM_HEADERS']],
    [
      'headers of a stream to a file',
      { AUDIT_STREAM: 'file:/audit.jsonl', AUDIT_STREAM_HEADERS: 'a=b' },
      ['AUDIT_STREAM_HEADERS'],
    ],
    ['one key for both roles', { AGENT_API_KEY: KEY, OPERATOR_API_KEY: KEY }, ['OPERATOR_API_KEY']],
  ])('refuse %s', (_what, env, names) => {
    expect(namesOf(env)).toEqual(names);
  });

  it('let a default give way to a maximum below it', () => {
    const { approvals, telegram } = parseConfig({
      ...TELEGRAM,
      APPROVAL_MAX_TIMEOUT_MINUTES: '1',
      TELEGRAM_RETRY_MAX_DELAY_MS: '250',
    });
    expect(approvals.defaultTimeoutSeconds).toBe(60);
    expect(telegram?.retry).toMatchObject({ initialDelayMs: 250, maxDelayMs: 250 });
  });

  it('are told together with everything else that is wrong', () => {
    const names = namesOf({ ...TELEGRAM, TELEGRAM_MODE: 'webhook', PORT: 'x' });
    expect(names.sort()).toEqual(['PORT', 'TELEGRAM_WEBHOOK_SECRET', 'TELEGRAM_WEBHOOK_URL']);
  });

  it('accept webhook mode with address and secret', () => {
    const { telegram } = parseConfig({
      ...TELEGRAM,
      TELEGRAM_MODE: 'webhook',
      TELEGRAM_WEBHOOK_URL: 'https://approvals.example.org/telegram/webhook',
      TELEGRAM_WEBHOOK_SECRET: 's'.repeat(16),
    });
    expect(telegram?.webhook).toEqual({
      url: 'https://approvals.example.org/telegram/webhook',
      secret: 's'.repeat(16),
    });
  });
});

describe('the bot token', () => {
  it.each([
    '',
    '123456789',
    `123456789:${'t'.repeat(29)}`,
    `abc:${'t'.repeat(35)}`,
    `${TOKEN} `,
    `${TOKEN}/x`,
  ])('is refused when malformed: %j', (token) => {
    expect(namesOf({ ...TELEGRAM, TELEGRAM_BOT_TOKEN: token })).toContain('TELEGRAM_BOT_TOKEN');
  });
});

describe('operators', () => {
  const operatorsOf = (list: string) =>
    parseConfig({ ...TELEGRAM, TELEGRAM_OPERATORS: list }).telegram?.operators;

  it('are numeric ids, with or without a name', () => {
    expect(operatorsOf('42, 7:Olivia Op ,')).toEqual([
      { id: '42', name: '42' },
      { id: '7', name: 'Olivia Op' },
    ]);
  });

  it.each(['01:Olivia', '0', '4503599627370496', '12345678901234567890'])(
    'are ids as Telegram gives and writes them, or nobody could decide: not %s',
    (entry) => {
      expect(faultsOf({ ...TELEGRAM, TELEGRAM_OPERATORS: `1,${entry}` })).toEqual([
        expect.stringMatching(`^TELEGRAM_OPERATORS: "${entry}": no Telegram user has the id`),
      ]);
    },
  );

  it('may have the largest id', () => {
    expect(operatorsOf('4503599627370495')).toHaveLength(1);
  });

  it.each(['@olivia', 'olivia', '1:Olivia:Op', '1.5', '-100'])(
    'are never usernames or anything else: %s',
    (entry) => {
      const faults = faultsOf({ ...TELEGRAM, TELEGRAM_OPERATORS: `1,${entry}` });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain(`TELEGRAM_OPERATORS: "${entry}" is neither`);
    },
  );

  it('are listed once', () => {
    expect(faultsOf({ ...TELEGRAM, TELEGRAM_OPERATORS: '1:A,2,1:B' })).toEqual([
      'TELEGRAM_OPERATORS: operator 1 is listed twice',
    ]);
  });
});

describe('secrets in files', () => {
  let directory: string;
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'countersign-secrets-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are read for every secret, without the newline at the end', () => {
    const config = parseConfig({
      TELEGRAM_CHAT_ID: '1',
      TELEGRAM_OPERATORS: '1',
      TELEGRAM_MODE: 'webhook',
      TELEGRAM_WEBHOOK_URL: 'https://approvals.example.org',
      TELEGRAM_BOT_TOKEN_FILE: file('token', `${TOKEN}\n`),
      TELEGRAM_WEBHOOK_SECRET_FILE: file('secret', 's'.repeat(20)),
      AGENT_API_KEY_FILE: file('agent', `${KEY}\r\n`),
      OPERATOR_API_KEY_FILE: file('operator', 'o'.repeat(32)),
      DATABASE_URL_FILE: file('url', 'postgres://u:p@db/app\n'),
      DATABASE_MIGRATION_URL_FILE: file('owner', 'postgres://o:p@db/app\n'),
    });
    expect(config.telegram?.token).toBe(TOKEN);
    expect(config.telegram?.webhook?.secret).toBe('s'.repeat(20));
    expect(config.keys).toEqual({ agent: KEY, operator: 'o'.repeat(32) });
    expect(config.database).toMatchObject({
      url: 'postgres://u:p@db/app',
      migrationUrl: 'postgres://o:p@db/app',
    });
  });

  it('may not stand beside the value itself', () => {
    const env = { AGENT_API_KEY: KEY, AGENT_API_KEY_FILE: file('agent', KEY) };
    expect(faultsOf(env)).toEqual([
      'AGENT_API_KEY: set either AGENT_API_KEY or AGENT_API_KEY_FILE, not both',
    ]);
  });

  it('must be readable', () => {
    expect(faultsOf({ AGENT_API_KEY_FILE: join(directory, 'missing') })).toEqual([
      'AGENT_API_KEY_FILE: cannot read the file (ENOENT)',
    ]);
  });

  it('must hold something', () => {
    expect(faultsOf({ AGENT_API_KEY_FILE: file('empty', ' \n') })).toContain(
      'AGENT_API_KEY_FILE: the file is empty',
    );
  });

  it('are checked like the value itself', () => {
    expect(namesOf({ AGENT_API_KEY_FILE: file('short', 'short') })).toEqual(['AGENT_API_KEY']);
  });
});

describe('the audit stream', () => {
  it.each([
    ['file:/var/log/audit.jsonl', { kind: 'file', path: '/var/log/audit.jsonl' }],
    ['file:///var/log/audit.jsonl', { kind: 'file', path: '/var/log/audit.jsonl' }],
    ['stdout', { kind: 'stdout' }],
    [
      'https://siem.example.com/v1/logs?team=a',
      { kind: 'endpoint', url: 'https://siem.example.com/v1/logs?team=a' },
    ],
    ['http://127.0.0.1:4318/v1/logs', { kind: 'endpoint', url: 'http://127.0.0.1:4318/v1/logs' }],
    ['http://[::1]:4318/v1/logs', { kind: 'endpoint', url: 'http://[::1]:4318/v1/logs' }],
  ])('may go to %s', (AUDIT_STREAM, to) => {
    expect(parseConfig({ AUDIT_STREAM }).auditStream).toEqual({ to, headers: {} });
  });

  it.each([
    'file:',
    'file:audit.jsonl',
    '/var/log/audit.jsonl',
    'syslog://host',
    'http://siem.example.com/v1/logs',
    'STDOUT',
  ])('does not go to %s, and says what is possible', (AUDIT_STREAM) => {
    expect(faultsOf({ AUDIT_STREAM })).toEqual([
      'AUDIT_STREAM: must be file:/absolute/path, stdout, or an https URL (http on loopback)',
    ]);
  });

  it('has its password in the headers, not in the address', () => {
    expect(faultsOf({ AUDIT_STREAM: 'https://me:secret@siem.example.com/' })).toEqual([
      'AUDIT_STREAM: must not hold a password; AUDIT_STREAM_HEADERS takes the header Authorization',
    ]);
  });

  const AUDIT_STREAM = 'https://siem.example.com/v1/logs';
  it('takes headers, with what a list cannot hold as in a URL', () => {
    const AUDIT_STREAM_HEADERS = 'Authorization=Bearer abc=, x-team=a%2Cb%25';
    expect(parseConfig({ AUDIT_STREAM, AUDIT_STREAM_HEADERS }).auditStream?.headers).toEqual({
      Authorization: 'Bearer abc=',
      'x-team': 'a,b%',
    });
  });

  it.each(['Authorization', 'a b=c', '=c', 'a=', 'a=b,,c=d', 'a=%0d%0ab', 'a=%'])(
    'refuses the headers %j without quoting them',
    (AUDIT_STREAM_HEADERS) => {
      expect(faultsOf({ AUDIT_STREAM, AUDIT_STREAM_HEADERS })).toEqual([
        'AUDIT_STREAM_HEADERS: must look like name=value,name=value',
      ]);
    },
  );
});

it('a chat id that Telegram does not give is named as such', () => {
  expect(faultsOf({ ...TELEGRAM, TELEGRAM_CHAT_ID: '-01001' })).toEqual([
    expect.stringMatching(
      /^TELEGRAM_CHAT_ID: .*is not a valid Telegram id \(no leading zeros, at most \d+\)$/,
    ),
  ]);
});

describe('operators', () => {
  it.each(['1087968824', '777000', '136817688:Channel'])('are never an id that people share (%s)', (id) => {
    expect(() => parseConfig({ ...TELEGRAM, TELEGRAM_OPERATORS: id })).toThrow(
      /TELEGRAM_OPERATORS: .*shares among people/,
    );
  });
});

describe('secrets', () => {
  /** The documentation marks them. */
  const documented = [
    ...readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8').matchAll(
      /^\| `([A-Z_]+)`.*\(secret\)/gm,
    ),
  ].map(([, name = '']) => name);

  it('are no part of the environment of another program, neither themselves nor the paths of their files', () => {
    expect(documented).toContain('APPROVAL_SIGNING_KEY');
    const names = [...documented, 'COUNTERSIGN_KEY'].flatMap((name) => [name, `${name}_FILE`]);
    const env = Object.fromEntries([...names, 'PATH', 'HOME'].map((name) => [name, 'x']));
    expect(withoutSecrets(env)).toEqual({ PATH: 'x', HOME: 'x' });
  });

  it('are known to the redaction, with the parts that can stand alone', () => {
    const texts = secretsIn({
      ...Object.fromEntries(documented.map((name) => [name, `secret-of-${name}`])),
      DATABASE_URL: 'postgres://me:p%40ssword-of-mine@host/db?password=another-password',
      TELEGRAM_BOT_TOKEN: TOKEN,
      COUNTERSIGN_KEY: KEY,
      AUDIT_STREAM_HEADERS: 'Authorization=Bearer%20token-of-the-siem,x-key=key%2Cof-the-siem',
    });
    expect(texts).toEqual(
      expect.arrayContaining([
        'p%40ssword-of-mine',
        'p@ssword-of-mine',
        'another-password',
        TOKEN,
        TOKEN.split(':')[1],
        KEY,
        'Bearer token-of-the-siem',
        'token-of-the-siem',
        'key,of-the-siem',
      ]),
    );
    for (const name of documented.filter(
      (each) => !/^(DATABASE_URL|TELEGRAM_BOT_TOKEN|AUDIT_STREAM_HEADERS)$/.test(each),
    )) {
      expect(texts).toContain(`secret-of-${name}`);
    }
  });
});

describe('the console', () => {
  it.each([
    ['on with a loopback HOST', {}, { url: null }],
    ['off beyond loopback', { HOST: '0.0.0.0' }, null],
    [
      'on with its address',
      { HOST: '0.0.0.0', CONSOLE_URL: 'https://c.example.com/' },
      { url: 'https://c.example.com' },
    ],
    ['off if it is switched off', { CONSOLE_ENABLED: 'false' }, null],
  ])('is %s', (_, env: Record<string, string>, expected) => {
    expect(parseConfig(env).console).toEqual(expected);
  });

  it.each([
    ['http beyond loopback', { CONSOLE_URL: 'http://c.example.com' }],
    ['a path', { CONSOLE_URL: 'https://c.example.com/approvals' }],
    ['no address where it needs one', { HOST: '0.0.0.0', CONSOLE_ENABLED: 'true' }],
  ])('refuses %s', (_, env: Record<string, string>) => {
    expect(namesOf(env)).toEqual(['CONSOLE_URL']);
  });

  it('refuses an unknown variable with its prefix', () => {
    expect(namesOf({ CONSOLE_PORT: '1' })).toEqual(['CONSOLE_PORT']);
  });
});

describe('the OpenID provider', () => {
  const OIDC = {
    OIDC_ISSUER: 'https://login.example.com/',
    OIDC_CLIENT_ID: 'countersign',
    OIDC_CLIENT_SECRET: 'a-secret-of-the-provider',
  };

  it('is the issuer as it is written, since the slash at the end is part of its name', () => {
    expect(parseConfig(OIDC).oidc).toEqual({
      issuer: 'https://login.example.com/',
      clientId: 'countersign',
      clientSecret: 'a-secret-of-the-provider',
    });
  });

  it.each([
    ['http beyond loopback', { OIDC_ISSUER: 'http://login.example.com' }, ['OIDC_ISSUER']],
    ['a query', { OIDC_ISSUER: 'https://login.example.com/?realm=one' }, ['OIDC_ISSUER']],
    ['a user', { OIDC_ISSUER: 'https://me:secret@login.example.com/' }, ['OIDC_ISSUER']],
    ['no secret', { OIDC_CLIENT_SECRET: '' }, ['OIDC_CLIENT_SECRET']],
    ['only a secret', { OIDC_ISSUER: '', OIDC_CLIENT_ID: '' }, ['OIDC_ISSUER', 'OIDC_CLIENT_ID']],
    ['no console', { CONSOLE_ENABLED: 'false' }, ['OIDC_ISSUER']],
    ['no address of the console', { HOST: '0.0.0.0' }, ['OIDC_ISSUER']],
    ['an unknown variable with its prefix', { OIDC_SCOPE: 'openid' }, ['OIDC_SCOPE']],
  ])('is refused with %s', (_, env: Record<string, string>, expected) => {
    expect(namesOf({ ...OIDC, ...env })).toEqual(expected);
  });
});
