import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { examineAll, type Examined } from '../../src/cli/doctor/examine';
import { parseConfig } from '../../src/config/environment';
import { revertMigration, migrate } from '../../src/database/migrations';
import { Api } from '../support/api';
import { serviceEnvironment, startTestApp, type TestApp } from '../support/app';
import { cli } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp, freePort, startSandboxProcess, temporaryDirectory } from '../support/processes';
import { SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';
import { BOT_TOKEN, OPERATOR_KEY, telegramEnvironment } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let chat: SandboxClient;
let environment: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  await migrate(database.url, database.serviceUrl);
  const service = new URL(database.serviceUrl).username;
  await database.query(`revoke update, delete on audit_log from ${service}`);
  const { url } = await startSandboxProcess();
  chat = new SandboxClient(url);
  environment = {
    ...telegramEnvironment(url),
    DATABASE_URL: database.serviceUrl,
    DATA_DIR: temporaryDirectory(),
  };
  app = await startTestApp(database.serviceUrl, environment);
  await until('it polls', async () => (await chat.calls('getUpdates')).length > 0);
});
afterEach(() => chat.clearFaults());
afterAll(async () => {
  await app.close();
  await cleanUp();
  await database.drop();
});

interface Diagnosis {
  readonly examined: readonly Examined[];
  /** `check: message`, one a finding. */
  readonly found: readonly string[];
  readonly fixes: readonly string[];
}

async function diagnose(more: Record<string, string> = {}, url = app.url): Promise<Diagnosis> {
  const examined: Examined[] = [];
  const env = {
    ...serviceEnvironment(database.serviceUrl, environment),
    ...more,
  };
  const findings = await examineAll(
    () => parseConfig(env),
    { url },
    (each) => void examined.push(each),
  );
  return {
    examined,
    found: findings.map(({ check, message }) => `${check}: ${message}`),
    fixes: findings.map(({ fix }) => fix),
  };
}

const only = (found: readonly string[]): string => {
  expect(found).toHaveLength(1);
  return found[0] ?? '';
};

describe('countersign doctor', () => {
  it('finds nothing where nothing is wrong, and exits 0', async () => {
    const env = {
      ...environment,
      COUNTERSIGN_URL: app.url,
      COUNTERSIGN_KEY: OPERATOR_KEY,
      AGENT_API_KEY: 'a'.repeat(40),
      OPERATOR_API_KEY: OPERATOR_KEY,
    };
    const { code, out } = await cli(['doctor'], env);
    expect(out).toMatch(/^✓ telegram-updates +polled by /m);
    expect({ code, verdict: out.split('\n').at(-1) }).toEqual({
      code: 0,
      verdict: 'No problems found.',
    });
    const json = await cli(['doctor', '--json'], env);
    expect([json.code, JSON.parse(json.out)]).toEqual([0, { ok: true, findings: [] }]);
  });

  it('names every fault of the configuration, exits 1, and shows no secret', async () => {
    const env = {
      ...environment,
      DATABASE_URL: '',
      TELEGRAM_OPERATORS: '',
      APPROVAL_TIMEOUT: '5',
      PORT: 'x',
    };
    const { code, out } = await cli(['doctor', '--json'], env);
    expect(code).toBe(1);
    const { ok, findings } = JSON.parse(out) as {
      ok: boolean;
      findings: Record<string, string>[];
    };
    expect(ok).toBe(false);
    expect(findings.map(({ message }) => message?.split(':')[0])).toEqual(
      expect.arrayContaining(['PORT', 'APPROVAL_TIMEOUT', 'TELEGRAM_OPERATORS']),
    );
    for (const finding of findings) {
      expect(Object.keys(finding).toSorted()).toEqual(['check', 'fix', 'message', 'severity']);
      expect(finding).toMatchObject({
        check: 'configuration',
        severity: 'error',
        fix: expect.stringMatching(/./) as string,
      });
    }
    expect(out).not.toContain(BOT_TOKEN);
  });

  it('works while the service is down', async () => {
    const { found, examined } = await diagnose({}, `http://127.0.0.1:${await freePort()}`);
    expect(only(found)).toMatch(/^service: no answer from/);
    expect(examined.find(({ check }) => check === 'database')?.note).toMatch(/^PostgreSQL/);
    expect(examined.find(({ check }) => check === 'breaker')?.state).toBe('skipped');
  });

  it('works while the database is down, and shows no password', async () => {
    const { found, fixes } = await diagnose({
      DATABASE_URL: `postgres://me:geheim@127.0.0.1:${await freePort()}/x`,
    });
    expect(found).toEqual([expect.stringMatching(/^database: .*ECONNREFUSED/)]);
    expect(fixes.join()).toMatch(/DATABASE_URL/);
    expect(found.join()).not.toContain('geheim');
  });

  it('works while the embedded database rests, and leaves no trace in DATA_DIR', async () => {
    const dataDir = join(temporaryDirectory(), 'data');
    const { found } = await diagnose({ DATABASE_URL: '', DATA_DIR: dataDir });
    expect(only(found.filter((each) => each.startsWith('database')))).toMatch(/does not run/);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('counts the problems, and says of Telegram no more than this environment tells', async () => {
    const { code, out } = await cli(['doctor'], {
      DATA_DIR: join(temporaryDirectory(), 'data'),
      COUNTERSIGN_URL: `http://127.0.0.1:${await freePort()}`,
    });
    expect([code, out.split('\n').at(-1)]).toEqual([1, '2 problems found.']);
    expect(out).toMatch(/^- telegram-token +not configured here \(TELEGRAM_BOT_TOKEN is unset\)$/m);
  });

  it('says what a single role means for the audit log', async () => {
    const { found, fixes } = await diagnose({ DATABASE_URL: database.url });
    expect(only(found)).toMatch(/^audit-rights: append-only is not enforced/);
    expect(fixes.join()).toMatch(/DATABASE_MIGRATION_URL/);
  });

  it('names the tables that the service may not use, and what gives it its rights again', async () => {
    const service = new URL(database.serviceUrl).username;
    await database.query(
      `revoke insert on receipts from ${service}; revoke select on outbox from ${service};
       revoke execute on function audit_prune(timestamptz) from ${service}`,
    );
    const { found, fixes } = await diagnose();
    expect(found.filter((each) => each.startsWith('rights'))).toEqual([
      `rights: the service's role ${service} lacks select on outbox, insert on receipts, execute on audit_prune(timestamptz)`,
    ]);
    expect(fixes.join()).toMatch(/npm run migrate/);
    await migrate(database.url, database.serviceUrl);
    expect((await diagnose()).found).toEqual([]);
  });

  it('names missing migrations and runs none', async () => {
    const other = await createTestDatabase();
    const reverted = await revertMigration(other.url);
    const pending = async () =>
      (await diagnose({ DATABASE_URL: other.url })).found.filter((each) => each.startsWith('migrations'));
    expect(only(await pending())).toContain(reverted);
    expect(only(await pending())).toContain(reverted);
    await other.drop();
    const empty = await createTestDatabase({ migrated: false });
    const { found, examined } = await diagnose({ DATABASE_URL: empty.url });
    expect(only(found.filter((each) => each.startsWith('migrations')))).toContain('CreateApprovals');
    expect(examined.find(({ check }) => check === 'queue')).toMatchObject({
      state: 'skipped',
    });
    expect(await empty.query(`select 1 from pg_tables where schemaname = 'public'`)).toEqual([]);
    await empty.drop();
  });

  it('tells a refused token from a Telegram that is away', async () => {
    await chat.fault({ method: 'getMe', count: 100, status: 401 });
    const refused = await diagnose();
    expect(only(refused.found.filter((each) => each.startsWith('telegram')))).toMatch(
      /token: Telegram refuses the bot token/,
    );
    expect(refused.fixes.join()).toMatch(/BotFather/);
    const away = await diagnose({
      TELEGRAM_API_ROOT: `http://127.0.0.1:${await freePort()}`,
    });
    expect(only(away.found.filter((each) => each.startsWith('telegram')))).toMatch(/no usable answer/);
    expect([...refused.found, ...away.found].join()).not.toContain(BOT_TOKEN.split(':')[1]);
  });

  it.each([
    [
      'an unreachable chat',
      { method: 'getChat', status: 400 },
      /^telegram-chat: the chat -1001 is out of reach/,
    ],
    [
      'a closed topic',
      { method: 'sendChatAction', status: 400, description: 'Bad Request: TOPIC_CLOSED' },
      /^telegram-chat: the chat -1001 is out of reach: .*TOPIC_CLOSED/,
    ],
    [
      'operators whom nobody knows',
      { method: 'getChatMember', status: 400 },
      /^telegram-operators: operator Olivia \(1\)/,
    ],
  ])('says of %s what to do', async (_what, fault, says) => {
    await chat.fault({ ...fault, count: 100 });
    const { found } = await diagnose();
    expect(found).toContainEqual(expect.stringMatching(says));
  });

  it('does not take a busy Telegram for operators whom nobody knows', async () => {
    await chat.fault({ method: 'getChatMember', status: 429, count: 100 });
    const { found } = await diagnose();
    const operators = found.filter((each) => each.startsWith('telegram-operators'));
    expect(operators.join()).toMatch(/Too Many Requests/);
    expect(operators.join()).not.toMatch(/nobody/);
  });

  it('notices a webhook that takes the taps away from a polling service', async () => {
    const token = '1000000002:another-bot-of-the-local-sandbox-only';
    await fetch(`${chat.url}/bot${token}/setWebhook?url=http://127.0.0.1:1/elsewhere`);
    const { found } = await diagnose({ TELEGRAM_BOT_TOKEN: token });
    expect(found).toContainEqual(expect.stringMatching(/^telegram-updates: .*has a webhook/));
  });

  it('reports a breaker that is held open by hand', async () => {
    const api = new Api(app.url);
    await api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', {
      action: 'open',
    });
    const { found, fixes } = await diagnose();
    await api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', {
      action: 'close',
    });
    expect(found).toContainEqual(expect.stringMatching(/^breaker: .*held open by hand/));
    expect(fixes.join()).toContain('circuit-breaker');
  });

  it('reports work that waits too long, was given up, or was never swept', async () => {
    await database.query(
      `insert into outbox (kind, chat_id, urgency, created_at, available_at, attempts, dead_at)
       values ('digest', 7, 1, now() - interval '5 minutes', now() + interval '1 hour', 1, null),
              ('digest', 7, 1, now() - interval '5 minutes', now(), 1, now())`,
    );
    const { found } = await diagnose();
    await database.query(`delete from outbox where chat_id = 7`);
    expect(found).toContainEqual(
      expect.stringMatching(/^queue: a card or outcome has been waiting for 30\d s/),
    );
    expect(found).toContainEqual('queue: 1 messages were given up');
  });

  it('says that nobody can ask when there is no key', async () => {
    const { found, fixes } = await diagnose({ AGENT_API_KEY: '' });
    expect(found).toContain('keys: no agent has a key: nobody can ask');
    expect(fixes).toContain('countersign keys add --role agent --name NAME');
  });

  it('says that nobody could decide without Telegram when no operator has a key', async () => {
    const { found, fixes } = await diagnose({ OPERATOR_API_KEY: '' });
    expect(found).toContainEqual(expect.stringMatching(/^keys: no operator has a key/));
    expect(fixes).toContain('countersign keys add --role operator --name NAME');
  });
});
