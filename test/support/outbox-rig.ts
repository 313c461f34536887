import { parseConfig } from '../../src/config/environment';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { ENTITIES } from '../../src/entities';
import { CardStore } from '../../src/channels/telegram/card-store';
import { OutboxStore } from '../../src/outbox/outbox-store';
import { SendBudget } from '../../src/channels/telegram/send-budget';
import { TelegramCarrier } from '../../src/channels/telegram/telegram-carrier';
import { TELEGRAM_ON } from './open-store';

/** The outbox as one replica has it, on a pool of its own, and nothing that works it off. */
export interface OutboxReplica {
  readonly outbox: OutboxStore;
  readonly budget: SendBudget;
  readonly database: Database;
  readonly cards: CardStore;
  close(): Promise<void>;
}

export async function openOutbox(
  databaseUrl: string,
  more: Record<string, string> = {},
): Promise<OutboxReplica> {
  const config = parseConfig({ ...TELEGRAM_ON, ...more });
  const source = createDataSource(databaseUrl, config.database.poolSize, { entities: ENTITIES });
  await source.initialize();
  const database = new Database(source);
  const budget = new SendBudget(database, config);
  const cards = new CardStore(database);
  return {
    outbox: new OutboxStore(database, new TelegramCarrier(budget, cards), config),
    budget,
    database,
    cards,
    close: () => source.destroy(),
  };
}
