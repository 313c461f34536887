import type { Abstract, Type } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { drain } from '../../src/app';
import { AppModule } from '../../src/app.module';
import { ApprovalStore } from '../../src/approvals/approval-store';
import { SettlementFeed } from '../../src/approvals/settlement-feed';
import { TimeoutSweeper } from '../../src/approvals/timeout-sweeper';
import { parseConfig, type Config } from '../../src/config/environment';
import { locateDatabase } from '../../src/database/database-location';
import { attachHooks } from '../../src/hooks';
import { createHttpAdapter } from '../../src/http/adapter';
import { serveApiDocs } from '../../src/http/api-docs';
import { createLog, NestLog, type Log } from '../../src/logging/log';
import { serviceEnvironment, type LogLine } from './app';

/** The whole service, serving, with its inside at hand. */
export interface OpenApp {
  readonly url: string;
  readonly config: Config;
  readonly log: Log;
  readonly store: ApprovalStore;
  readonly commands: CommandBus;
  readonly queries: QueryBus;
  readonly feed: SettlementFeed;
  readonly sweeper: TimeoutSweeper;
  readonly events: readonly LogLine[];
  get<T>(part: Type<T> | Abstract<T>): T;
  close(): Promise<void>;
}

/**
 * Like startTestApp, for tests that must look inside. The scheduled sweep is out of the way (once an hour)
 * unless the test asks for it, so that what ends a request is what the test means.
 */
export async function openTestApp(databaseUrl: string, more: Record<string, string> = {}): Promise<OpenApp> {
  const config = parseConfig(
    serviceEnvironment(databaseUrl, { APPROVAL_SWEEP_INTERVAL_SECONDS: '3600', ...more }),
  );
  const lines: string[] = [];
  const log = createLog(config.log, { write: (line) => void lines.push(line) });
  const location = await locateDatabase(config, log);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.with(config, log, location),
    createHttpAdapter(),
    { logger: new NestLog(log), bodyParser: false, abortOnError: false },
  );
  attachHooks(app);
  serveApiDocs(app);
  try {
    await app.listen(config.http.port, '127.0.0.1');
  } catch (error) {
    // As startApp does: its LISTEN connection would come back for ever, beyond the end of the test.
    await drain(app);
    throw error;
  }
  const get = <T>(part: Type<T> | Abstract<T>): T => app.get<T>(part, { strict: false });
  return {
    url: await app.getUrl(),
    config,
    log,
    store: get(ApprovalStore),
    commands: get(CommandBus),
    queries: get(QueryBus),
    feed: get(SettlementFeed),
    sweeper: get(TimeoutSweeper),
    get events() {
      return lines.map((line) => JSON.parse(line) as LogLine);
    },
    get,
    close: () => drain(app),
  };
}
