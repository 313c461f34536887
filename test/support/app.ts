import { randomBytes } from 'node:crypto';
import { startApp, type RunningApp } from '../../src/app';
import { parseConfig } from '../../src/config/environment';
import { createLog } from '../../src/logging/log';
import { AGENT_KEY, OPERATOR_KEY } from './well-known';

export * from './well-known';

export interface TestApp extends RunningApp {
  /** Every log line so far, parsed. */
  readonly events: readonly LogLine[];
  readonly rawLog: readonly string[];
}

export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export function serviceEnvironment(
  databaseUrl: string,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    DATA_DIR: `/tmp/countersign-test-data-${randomBytes(4).toString('hex')}`,
    AGENT_API_KEY: AGENT_KEY,
    OPERATOR_API_KEY: OPERATOR_KEY,
    // What is tested is not the pace, unless a test says so.
    RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
    RATE_LIMIT_AGENT_PER_MINUTE: '1000000',
    RATE_LIMIT_OPERATOR_PER_MINUTE: '1000000',
    // A digest at the full hour would be one more message in the chat.
    DIGEST_INTERVAL_MINUTES: '0',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'json',
    ...more,
  };
}

/** The whole service in this process, on a free port, with its log at hand. */
export async function startTestApp(databaseUrl: string, more: Record<string, string> = {}): Promise<TestApp> {
  const rawLog: string[] = [];
  const config = parseConfig(serviceEnvironment(databaseUrl, more));
  const app = await startApp(config, createLog(config.log, { write: (line) => void rawLog.push(line) }));
  return {
    url: app.url,
    close: () => app.close(),
    rawLog,
    get events() {
      return rawLog.map((line) => JSON.parse(line) as LogLine);
    },
  };
}
