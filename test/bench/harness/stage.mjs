import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Remote } from './rpc.mjs';

const BENCH = resolve(import.meta.dirname, '..');
const CHECKOUT = resolve(BENCH, '../..');
const require = createRequire(import.meta.url);
/** The command of `npm start`: options of Node.js and the program. */
const [, ...START] = require(join(CHECKOUT, 'package.json')).scripts.start.split(' ');
/** The module that the build made of a source file. */
export const built = (path) => require(join(CHECKOUT, 'dist/src', path));

/** A start takes two seconds, and much longer on a machine that is busy with other things. */
const READY_WITHIN_MS = 180_000;
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export const KEYS = {
  agent: `bench-agent-${'a'.repeat(32)}`,
  operator: `bench-operator-${'o'.repeat(32)}`,
};
/** SQLSTATE. */
const INSUFFICIENT_PRIVILEGE = '42501';

export const CHAT_ID = '-1001';

/** Limits that are not what is measured are raised, never bypassed: to the most that the configuration takes. */
const UNLIMITED = {
  RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
  APPROVAL_MAX_PENDING_PER_AGENT: '1000000',
  HTTP_MAX_WAITING_PER_KEY: '1000000',
  RATE_LIMIT_AGENT_PER_MINUTE: '10000000',
  RATE_LIMIT_OPERATOR_PER_MINUTE: '10000000',
  APPROVAL_MAX_TIMEOUT_MINUTES: '10080',
  APPROVAL_DEFAULT_TIMEOUT_MINUTES: '1440',
};

const parametersOf = (url) => {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
};

/** A program in a process of its own, its output in a file, as services have it. */
class Program {
  constructor(args, env, log) {
    this.log = log;
    const out = openSync(log, 'w');
    this.child = spawn(process.execPath, args, {
      cwd: CHECKOUT,
      stdio: ['ignore', out, out, ...(env.withChannel ? ['ipc'] : [])],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env.variables },
    });
    closeSync(out);
    running.add(this.child);
    this.ended = new Promise((done) =>
      this.child.once('exit', (code, signal) => {
        running.delete(this.child);
        done({ code, signal });
      }),
    );
  }

  get output() {
    return readFileSync(this.log, 'utf8');
  }

  async said(part) {
    for (let waited = 0; waited < READY_WITHIN_MS; waited += 20) {
      const line = this.output.split('\n').find((each) => each.includes(part));
      if (line) return line;
      if (this.child.exitCode !== null) break;
      await sleep(20);
    }
    throw new Error(`"${part}" was never said:\n${this.output.slice(-2000)}`);
  }

  async end(signal = 'SIGTERM') {
    this.child.kill(signal);
    return this.ended;
  }
}

/** The service as it is deployed: a process with its environment. */
export class Service extends Program {
  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  }

  /** Asks a module that was loaded into the service before it. */
  ask(question) {
    return new Promise((resolve) => {
      this.child.once('message', resolve);
      this.child.send(question);
    });
  }
}

/** One PostgreSQL of the bench's own, and the databases, services and rigs that were started on it. */
export class Stage {
  databases = 0;
  services = 0;
  opened = [];

  static async open() {
    const stage = new Stage();
    stage.directory = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
    chmodSync(stage.directory, 0o711);
    const { startEmbeddedPostgres } = built('database/embedded-postgres.js');
    stage.postgres = await startEmbeddedPostgres({
      dataDir: join(stage.directory, 'postgres'),
      log: () => undefined,
    });
    return stage;
  }

  /** A migrated database with nothing in it. */
  async database() {
    const name = `bench_${++this.databases}`;
    const server = new pg.Client({ connectionString: this.postgres.ownerUrl });
    await server.connect();
    await server.query(`create database ${name}`);
    await server.end();
    const url = new URL(this.postgres.ownerUrl);
    url.pathname = `/${name}`;
    await built('database/migrations.js').migrate(url.href);
    const pool = new pg.Pool({ connectionString: url.href, max: 4 });
    pool.on('error', () => undefined);
    this.opened.push(() => pool.end());
    return {
      url: url.href,
      query: async (sql, values = []) => (await pool.query(sql, values)).rows,
      connect: () => pool.connect(),
    };
  }

  environment(database, more = {}) {
    return {
      PORT: '0',
      DATA_DIR: join(this.directory, 'data'),
      DATABASE_URL: database.url,
      AGENT_API_KEY: KEYS.agent,
      OPERATOR_API_KEY: KEYS.operator,
      LOG_FORMAT: 'json',
      ...UNLIMITED,
      ...more,
    };
  }

  /** `preload`: modules of ours that it loads first, and that can be asked; `execArgv`: for Node.js. */
  async service(database, more = {}, { preload = [], execArgv = [] } = {}) {
    const modules = preload.flatMap((name) => ['--require', join(BENCH, name)]);
    const args = [...execArgv, ...modules, ...START];
    const variables = this.environment(database, more);
    const log = join(this.directory, `service-${++this.services}.log`);
    const service = new Service(args, { variables, withChannel: preload.length > 0 }, log);
    this.opened.push(() => service.end('SIGKILL'));
    service.url = JSON.parse(await service.said('"service.ready"')).url;
    Object.assign(service, parametersOf(service.url));
    return service;
  }

  /** The Telegram sandbox, and the environment that points a service at it. */
  async sandbox() {
    const log = join(this.directory, `sandbox-${++this.services}.log`);
    const program = new Program(
      [join(CHECKOUT, 'dist/src/sandbox/main.js')],
      { variables: { SANDBOX_PORT: '0' } },
      log,
    );
    this.opened.push(() => program.end('SIGKILL'));
    const url = /http:\/\/[^/\s]+/.exec(await program.said('http://'))[0];
    const environment = {
      TELEGRAM_BOT_TOKEN: `7000000007:${'BenchToken'.repeat(4)}`,
      TELEGRAM_CHAT_ID: CHAT_ID,
      TELEGRAM_OPERATORS: '1:Olivia',
      TELEGRAM_API_ROOT: url,
    };
    const control = async (method, path, body) => {
      const response = await fetch(`${url}/sandbox/${path}`, {
        method,
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      if (!response.ok) throw new Error(`the sandbox answered ${response.status} to ${path}`);
      return response.json();
    };
    return { program, environment, control };
  }

  /** The service in a process that can be asked for its parts; with the flags of Node.js that it is started with. */
  replica() {
    return this.remote('load/replica.mjs', { execArgv: START.filter((part) => part.startsWith('--')) });
  }

  /** A process of the bench itself. */
  async remote(file, options) {
    const remote = await Remote.start(join(BENCH, file), options);
    this.opened.push(() => remote.end());
    return remote;
  }

  /** Ends what was opened since; for groups that follow each other on one PostgreSQL. */
  async strike() {
    for (const close of this.opened.splice(0).reverse()) await close();
    const server = new pg.Client({ connectionString: this.postgres.ownerUrl });
    await server.connect();
    for (; this.databases > 0; this.databases--) {
      const drop = `drop database if exists bench_${this.databases}`;
      // Autovacuum may be at work in it: an owner may not end that, the server does so itself.
      await server.query(`${drop} with (force)`).catch((error) => {
        if (error.code !== INSUFFICIENT_PRIVILEGE) throw error;
        return server.query(drop);
      });
    }
    await server.end();
  }

  async close() {
    await this.strike();
    await this.postgres.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
