import type { EventBus } from '@nestjs/cqrs';
import { PostgresApprovalStore } from '../../src/approvals/postgres-approval-store';
import { canonicalize, inputDigest } from '../../src/kernel/canonical-json';
import type { NewApproval } from '../../src/approvals/approval-store';
import type { EnqueueBody } from '../../src/approvals/new-request';
import { parseConfig } from '../../src/config/environment';
import { ChatMoves } from '../../src/channels/telegram/chat-moves';
import { Destination } from '../../src/channels/telegram/destination';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { ENTITIES } from '../../src/entities';
import { ReplicaPresence } from '../../src/database/replica-presence';
import { SystemClock } from '../../src/kernel/clock';
import { createLog } from '../../src/logging/log';
import { ReceiptStore } from '../../src/receipts/receipt-store';
import { Receipts } from '../../src/receipts/receipts';
import { SigningKey } from '../../src/receipts/signing-key';
import { SigningKeyStore } from '../../src/receipts/signing-key-store';
import { SigningKeys } from '../../src/receipts/signing-keys';
import { BOT_TOKEN, CHAT_ID } from './app';

export interface OpenStore {
  readonly store: PostgresApprovalStore;
  readonly receipts: Receipts;
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
  const config = parseConfig({ APPROVAL_SIGNING_KEY: SigningKey.generate(), ...TELEGRAM_ON, ...more });
  const source = createDataSource(databaseUrl, config.database.poolSize, { entities: ENTITIES });
  await source.initialize();
  const database = new Database(source);
  const log = createLog({ level: 'fatal', format: 'json' });
  const keys = new SigningKeys(new SigningKeyStore(database), new SystemClock(), log, config);
  await keys.onModuleInit();
  const receipts = new Receipts(
    keys,
    new ReceiptStore(database),
    { publish: () => undefined } as unknown as EventBus,
    log,
  );
  return {
    store: new PostgresApprovalStore(
      database,
      new ReplicaPresence(),
      new Destination(new ChatMoves(database), config),
      config,
    ),
    receipts,
    database,
    close: () => source.destroy(),
  };
}

/** A request for the store whose content does not matter. */
export function newApproval(more: Partial<NewApproval & EnqueueBody> = {}): NewApproval {
  const { toolName = 'Bash', toolInput = { command: 'ls' }, cwd = null, ...rest } = more;
  const { agentId = 'claude-code', sessionId = 'session-1', ...others } = rest;
  const { toolUseId = null, summary = null, metadata, timeoutSeconds, ...row } = others;
  const asked = {
    agentId,
    cwd,
    metadata: metadata ?? {},
    sessionId,
    summary,
    toolInput,
    toolName,
    toolUseId,
  };
  const text = canonicalize(asked);
  return {
    keyId: 'key-1',
    owner: null,
    agentId,
    sessionId,
    text,
    bytes: Buffer.byteLength(text),
    inputDigest: inputDigest({ toolName, toolInput, cwd }),
    timeoutSeconds: timeoutSeconds ?? 600,
    correlationId: 'test',
    traceparent: null,
    idempotency: null,
    held: false,
    connector: null,
    verdict: null,
    required: null,
    chain: null,
    ...row,
  };
}
