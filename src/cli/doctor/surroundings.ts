import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config/environment';
import { createDataSource } from '../../database/data-source';
import { Database } from '../../database/database';
import { ENTITIES } from '../../entities';
import { joinEmbeddedPostgres } from '../../database/embedded-postgres';
import { migrationsOf } from '../../database/migration-state';
import { describeError } from '../../kernel/describe-error';
import { serviceUrl } from '../service-url';
import { BotApi } from './bot-api';
import { ServiceDoor } from './service-door';

/** The database, or the reason why the checks cannot use it. */
export type Reached =
  | {
      readonly database: Database;
      readonly migrations: readonly string[];
      readonly address: string;
    }
  | { readonly database: null; readonly reason: string; readonly fix: string };

/** Everything that a check may read. The doctor neither starts nor changes any of it. */
export interface Surroundings {
  readonly config: Config;
  readonly reached: Reached;
  readonly service: ServiceDoor;
  /** Null: this environment has no bot token. */
  readonly telegram: BotApi | null;
  close(): Promise<void>;
}

const keyFileSchema = z.object({ operator: z.string() });

/** The operator key that the service generated; null if there is none, or this user may not read it. */
function generatedKey(dataDir: string): string | null {
  try {
    return keyFileSchema.parse(JSON.parse(readFileSync(join(dataDir, 'keys.json'), 'utf8'))).operator;
  } catch {
    return null; // the checks that need a key report that
  }
}

/** URL of the database; null: it is the embedded one, and does not run. Does not create a missing directory. */
async function databaseUrl({ database, dataDir }: Config): Promise<string | null> {
  if (database.url !== null) return database.url;
  return existsSync(dataDir) ? ((await joinEmbeddedPostgres(dataDir))?.url ?? null) : null;
}

async function reach(config: Config): Promise<{ reached: Reached; close: () => Promise<void> }> {
  const close = () => Promise.resolve();
  const away = (reason: string, fix: string) => ({ reached: { database: null, reason, fix }, close });
  try {
    const url = await databaseUrl(config);
    if (url === null) {
      return away(
        `the embedded PostgreSQL of ${config.dataDir} does not run`,
        'start the service, which runs it; or set DATABASE_URL if it was to use another',
      );
    }
    const source = createDataSource(url, 1, { readOnly: true, entities: ENTITIES });
    await source.initialize();
    const database = new Database(source);
    const { host, pathname } = new URL(url);
    return {
      reached: {
        database,
        migrations: migrationsOf(source),
        address: `${host}${pathname}`,
      },
      close: () => source.destroy(),
    };
  } catch (reason) {
    return away(
      `the database cannot be used: ${describeError(reason)}`,
      'see that PostgreSQL runs, that its address is right in DATABASE_URL, and that it lets this role in; ' +
        'docs/operations-runbook.md, "Database trouble"',
    );
  }
}

/** @param door URL of the service and a key for it; the configuration supplies what is undefined. */
export async function lookAround(
  config: Config,
  door: { readonly url?: string | undefined; readonly key?: string | undefined },
): Promise<Surroundings> {
  const { reached, close } = await reach(config);
  const url = door.url ?? serviceUrl(config.http);
  const key = door.key ?? config.keys.operator ?? generatedKey(config.dataDir);
  return {
    config,
    reached,
    service: new ServiceDoor(url.replace(/\/+$/, ''), key),
    telegram: config.telegram && new BotApi(config.telegram.apiRoot, config.telegram.token),
    close,
  };
}
