import { PostgresApprovalStore } from '../../src/approvals/postgres-approval-store';
import { inputDigest } from '../../src/kernel/canonical-json';
import type { NewApproval } from '../../src/approvals/approval-store';
import { parseConfig } from '../../src/config/environment';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { BOT_TOKEN, CHAT_ID } from './app';

export interface OpenStore {
  readonly store: PostgresApprovalStore;
  readonly database: Database;
  close(): Promise<void>;
}

/** Telegram on, as far as the store is concerned: it writes the outbox, and nobody works it off. */
export const TELEGRAM_ON = {
  TELEGRAM_BOT_TOKEN: BOT_TOKEN,
  TELEGRAM_CHAT_ID: CHAT_ID,
  TELEGRAM_OPERATORS: '1',
};

/** The store on a pool of its own, as one replica has it, and nothing else of the service. */
export async function openTestStore(
  databaseUrl: string,
  more: Record<string, string> = {},
): Promise<OpenStore> {
  const config = parseConfig({ ...TELEGRAM_ON, ...more });
  const source = createDataSource(databaseUrl, config.database.poolSize);
  await source.initialize();
  const database = new Database(source);
  return { store: new PostgresApprovalStore(database, config), database, close: () => source.destroy() };
}

/** What the store is given for a request about which nothing matters. */
export function newApproval(more: Partial<NewApproval> = {}): NewApproval {
  const { toolName = 'Bash', toolInput = { command: 'ls' }, cwd = null } = more;
  return {
    keyId: 'key-1',
    agentId: 'claude-code',
    sessionId: 'session-1',
    toolName,
    toolInput,
    toolUseId: null,
    summary: null,
    cwd,
    metadata: {},
    inputDigest: inputDigest({ toolName, toolInput, cwd }),
    timeoutSeconds: 600,
    correlationId: 'test',
    traceparent: null,
    idempotency: null,
    ...more,
  };
}
