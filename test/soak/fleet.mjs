import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const CHECKOUT = resolve(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);
const READY_WITHIN_MS = 60_000;

export const CHAT_ID = -1001;
export const OPERATOR_ID = 1;
/** Nothing of these may appear in any log. */
export const SECRETS = {
  AGENT_API_KEY: `soak-agent-${'a7'.repeat(20)}`,
  OPERATOR_API_KEY: `soak-operator-${'o5'.repeat(20)}`,
  TELEGRAM_BOT_TOKEN: `7000000007:${'SoakToken'.repeat(4)}`,
};

const ENVIRONMENT = {
  ...SECRETS,
  PORT: '0',
  LOG_LEVEL: 'debug',
  LOG_FORMAT: 'json',
  TELEGRAM_CHAT_ID: String(CHAT_ID),
  TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia`,
  TELEGRAM_BUDGET_PER_SECOND: '1000',
  TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: '100000',
  TELEGRAM_RETRY_INITIAL_DELAY_MS: '100',
  TELEGRAM_RETRY_MAX_DELAY_MS: '1600',
  CIRCUIT_BREAKER_BREAK_SECONDS: '2',
  ESCALATION_LEASE_SECONDS: '5',
  APPROVAL_SWEEP_INTERVAL_SECONDS: '1',
  RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
  APPROVAL_MAX_PENDING_PER_AGENT: '100000',
  HTTP_MAX_WAITING_PER_KEY: '1000000',
  RATE_LIMIT_AGENT_PER_MINUTE: '1000000',
  RATE_LIMIT_OPERATOR_PER_MINUTE: '1000000',
};

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program with every line it says; killed with us. */
class Program {
  constructor(file, env) {
    this.lines = [];
    this.child = spawn(process.execPath, [join(CHECKOUT, file)], {
      cwd: CHECKOUT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    running.add(this.child);
    this.ended = new Promise((done) =>
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        done({ code, signal });
      }),
    );
  }

  async said(part) {
    for (let waited = 0; waited < READY_WITHIN_MS; waited += 50) {
      const line = this.lines.find((each) => each.includes(part));
      if (line) return line;
      if (this.child.exitCode !== null) break;
      await sleep(50);
    }
    throw new Error(`"${part}" was never said:\n${this.lines.slice(-20).join('\n')}`);
  }

  end(signal) {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Replicas, the sandbox they talk to and the PostgreSQL they share. */
export class Fleet {
  replicas = [];
  kills = 0;
  /** Of processes that are no more. */
  pastLines = [];
  unexpectedEnds = [];

  static async start({ replicas }) {
    const fleet = new Fleet();
    fleet.directory = mkdtempSync(join(tmpdir(), 'countersign-soak-'));
    chmodSync(fleet.directory, 0o711);
    const { startEmbeddedPostgres } = require(join(CHECKOUT, 'dist/src/database/embedded-postgres.js'));
    fleet.postgres = await startEmbeddedPostgres({
      dataDir: join(fleet.directory, 'database'),
      log: () => undefined,
    });
    fleet.database = new pg.Pool({ connectionString: fleet.postgres.ownerUrl, max: 4 });
    fleet.database.on('error', () => undefined);
    fleet.sandbox = new Program('dist/src/sandbox/main.js', { SANDBOX_PORT: '0' });
    fleet.sandboxUrl = /http:\/\/[^/\s]+/.exec(await fleet.sandbox.said('http://'))[0];
    await fleet.control('POST', 'limits', {
      perSecond: 1e6,
      chatPerSecond: 1e6,
      chatBurst: 1e6,
      groupPerMinute: 1e6,
      callbackAnswerMs: 3_000,
    });
    for (let n = 0; n < replicas; n++) fleet.replicas.push(await fleet.replica());
    return fleet;
  }

  async replica() {
    const program = new Program('dist/src/main.js', {
      ...ENVIRONMENT,
      DATABASE_URL: this.postgres.ownerUrl,
      DATA_DIR: join(this.directory, 'data'),
      TELEGRAM_API_ROOT: this.sandboxUrl,
    });
    const { url } = JSON.parse(await program.said('"service.ready"'));
    const replica = { program, url, doomed: false };
    void program.ended.then(({ code, signal }) => {
      this.pastLines.push(...program.lines);
      if (!replica.doomed)
        this.unexpectedEnds.push(`code ${code}, signal ${signal}: ${program.lines.slice(-15).join(' | ')}`);
    });
    return replica;
  }

  async killAndRestart(n) {
    const replica = this.replicas[n];
    replica.doomed = true;
    await replica.program.end('SIGKILL');
    this.kills++;
    this.replicas[n] = await this.replica();
  }

  async query(sql, values = []) {
    return (await this.database.query(sql, values)).rows;
  }

  async control(method, path, body) {
    const response = await fetch(`${this.sandboxUrl}/sandbox/${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = await response.json();
    if (!response.ok)
      throw Object.assign(new Error(`${path}: ${response.status}`), { status: response.status });
    return answer;
  }

  async messages() {
    return (await this.control('GET', `messages?chat=${CHAT_ID}`)).messages;
  }

  /** Each kind gets an equal share; each is drawn only when those before it were not, which hardly changes it. */
  async failAtRandom(rate) {
    const kinds = [
      { status: 500 },
      { status: 502, body: 'html' },
      { status: 429, retryAfter: 1 },
      { reset: 'before' },
      { reset: 'after' },
      { body: 'truncated' },
      { body: 'empty' },
      { delayMs: 1_500 },
    ];
    for (const kind of kinds)
      await this.control('POST', 'faults', {
        method: '*',
        count: 1e9,
        probability: rate / kinds.length,
        ...kind,
      });
  }

  endFaults() {
    return this.control('DELETE', 'faults');
  }

  /** Returns what is still open when the time is over: pending requests, outbox rows, messages with a button. */
  async leftAfter(withinSeconds, operator) {
    operator.tapsEverything = true;
    for (const deadline = Date.now() + withinSeconds * 1000; ; await sleep(500)) {
      const left = await this.open();
      if (left.length === 0 || Date.now() > deadline) return left;
    }
  }

  async open() {
    const pending = await this.query("select id, expires_at from approvals where status = 'pending'");
    const outbox = await this.query('select * from outbox where dead_at is null');
    const messages = (await this.messages()).filter(({ buttons }) => buttons.flat().length > 0);
    return [
      ...pending.map((row) => `a pending request: ${JSON.stringify(row)}`),
      ...outbox.map((row) => `a row of the outbox: ${JSON.stringify(row)}`),
      ...messages.map((message) => `a message with buttons: ${JSON.stringify(message)}`),
    ];
  }

  /** As an orchestrator does; a replica that does not end by itself is an unexpected end. */
  async stop() {
    for (const replica of this.replicas) {
      replica.doomed = true;
      const { code } = await replica.program.end('SIGTERM');
      if (code !== 0) this.unexpectedEnds.push(`SIGTERM ended a replica with ${code}`);
    }
    await this.sandbox.said('http://');
  }

  get logLines() {
    return [...this.pastLines, ...this.sandbox.lines];
  }

  async destroy() {
    for (const replica of this.replicas) {
      replica.doomed = true;
      await replica.program.end('SIGKILL');
    }
    await this.sandbox?.end('SIGKILL');
    await this.database?.end();
    await this.postgres?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
