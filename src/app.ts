import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module';
import type { Config } from './config/environment';
import { locateDatabase } from './database/database-location';
import { migrate } from './database/migrations';
import { Departure } from './operations/health/departure';
import { attachHooks } from './hooks';
import { createHttpAdapter, DOOR_LIMITS } from './http/adapter';
import { serveApiDocs } from './http/api-docs';
import { FrontDoor } from './http/front-door';
import { describeError } from './kernel/describe-error';
import { NestLog, type Log } from './logging/log';
import { Starting } from './starting';

/** Maximum time for open answers during a stop; orchestrators usually wait 30 s. */
const DRAIN_MS = 5_000;
const CLOSE_IDLE_EVERY_MS = 100;

export interface RunningApp {
  readonly url: string;
  /** Drains and stops everything that was started, the database last. */
  close(): Promise<void>;
}

/** Address of a database, without the password. */
function addressOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

/** Makes the replica not ready first, so that load balancers stop sending traffic. It still answers every request. */
async function giveNotice(app: NestFastifyApplication, seconds: number): Promise<void> {
  app.get(Departure).announce();
  await delay(seconds * 1_000);
}

/**
 * Stops the modules and HTTP. Node waits for every connection, and keeps one alive for an idle client if it was in use
 * when the wait began. Destroys connections whose client does not take the answer in time.
 */
export async function drain(app: NestFastifyApplication): Promise<void> {
  const server = app.getHttpServer();
  const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await app.close().finally(() => {
    clearInterval(idle);
    clearTimeout(late);
  });
}

/** Runs every step, even after a failed one: the embedded PostgreSQL, stopped last, would outlive this process. */
async function inTurn(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  // Later failures may be consequences of the first.
  if (failures.length > 0) throw failures[0];
}

/** Starts the whole service: database, schema, modules, HTTP. If a step fails, stops everything that was started. */
export async function startApp(config: Config, log: Log): Promise<RunningApp> {
  const location = await locateDatabase(config, log);
  let app: NestFastifyApplication | null = null;
  let door: FrontDoor | null = null;
  let listening = false;
  const starting = new Starting();
  const leave = async () => {
    if (app && listening) await giveNotice(app, config.shutdown.noticeSeconds);
  };
  const close = () =>
    inTurn(
      leave,
      async () => app && drain(app),
      async () => door?.close(),
      location.close,
    );
  try {
    door = await FrontDoor.open(config.http, DOOR_LIMITS, starting.answer);
    const migrations = await migrate(location.ownerUrl, location.url, {
      waits: (holder) => {
        starting.reason = 'waiting for another process that migrates the database';
        log.event('info', 'database.migration-lock-waits', { holder }, starting.reason);
      },
      begins: (names) => {
        starting.reason = 'bringing the schema up to date';
        log.event('info', 'database.migrating', { migrations: names }, starting.reason);
      },
    }).catch((error: unknown) => {
      throw new Error(`the database at ${addressOf(location.ownerUrl)} cannot be used`, { cause: error });
    });
    if (migrations.length > 0)
      log.event('info', 'database.migrated', { migrations }, 'the schema is up to date');
    app = await NestFactory.create<NestFastifyApplication>(
      AppModule.with(config, log, location),
      createHttpAdapter(door),
      {
        logger: new NestLog(log),
        bodyParser: false,
        abortOnError: false,
      },
    );
    attachHooks(app);
    serveApiDocs(app);
    // Separate from `listen`, so that a module's start-up error is not reported as a listen error.
    await app.init();
    const { host, port } = config.http;
    await app.listen(port, host).catch((error: unknown) => {
      throw new Error(`cannot listen on HOST ${host}, PORT ${port}`, { cause: error });
    });
    listening = true;
    return { url: await app.getUrl(), close };
  } catch (error) {
    await close().catch((later: unknown) =>
      log.event('error', 'service.stop-failed', { error: describeError(later) }, 'stopping failed'),
    );
    throw error;
  }
}
