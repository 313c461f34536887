import { randomBytes } from 'node:crypto';
import { startApp, type RunningApp } from '../../src/app';
import { parseConfig } from '../../src/config/environment';
import { createLog } from '../../src/logging/log';

export const AGENT_KEY = `test-agent-${'a'.repeat(32)}`;
export const OPERATOR_KEY = `test-operator-${'o'.repeat(32)}`;
export const BOT_TOKEN = '1000000001:test-token-for-the-local-sandbox-only';
export const CHAT_ID = '-1001';
export const OPERATOR_ID = 1;
export const STRANGER_ID = 2;

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

/** The environment that points a service at a sandbox. */
export function telegramEnvironment(sandboxUrl: string): Record<string, string> {
  return {
    TELEGRAM_BOT_TOKEN: BOT_TOKEN,
    TELEGRAM_CHAT_ID: CHAT_ID,
    TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia`,
    TELEGRAM_API_ROOT: sandboxUrl,
  };
}

export function serviceEnvironment(databaseUrl: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    DATA_DIR: `/tmp/countersign-test-data-${randomBytes(4).toString('hex')}`,
    AGENT_API_KEY: AGENT_KEY,
    OPERATOR_API_KEY: OPERATOR_KEY,
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
