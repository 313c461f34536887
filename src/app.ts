import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module';
import type { Config } from './config/environment';
import { locateDatabase } from './database/database-location';
import { migrate } from './database/migrations';
import { createHttpAdapter } from './http/adapter';
import { serveApiDocs } from './http/api-docs';
import { NestLog, type Log } from './logging/log';

export interface RunningApp {
  readonly url: string;
  /** Drains and stops everything that was started, the database last. */
  close(): Promise<void>;
}

/** Where a database is, without the password. */
function addressOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

/** Starts the whole service: database, schema, modules, HTTP. What was started is stopped again when a step fails. */
export async function startApp(config: Config, log: Log): Promise<RunningApp> {
  const location = await locateDatabase(config, log);
  let app: NestFastifyApplication | null = null;
  const close = async () => {
    await app?.close();
    await location.close();
  };
  try {
    const migrations = await migrate(location.ownerUrl, location.url).catch((error: unknown) => {
      throw new Error(`the database at ${addressOf(location.ownerUrl)} cannot be used`, { cause: error });
    });
    if (migrations.length > 0)
      log.event('info', 'database.migrated', { migrations }, 'the schema is up to date');
    app = await NestFactory.create<NestFastifyApplication>(
      AppModule.with(config, log, location),
      createHttpAdapter(),
      {
        logger: new NestLog(log),
        bodyParser: false,
        abortOnError: false,
      },
    );
    serveApiDocs(app);
    const { host, port } = config.http;
    await app.listen(port, host).catch((error: unknown) => {
      throw new Error(`cannot listen on HOST ${host}, PORT ${port}`, { cause: error });
    });
    return { url: await app.getUrl(), close };
  } catch (error) {
    await close();
    throw error;
  }
}
