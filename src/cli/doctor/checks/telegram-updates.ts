import { z } from 'zod';
import type { Database } from '../../../database/database';
import { DatabaseFactsStore } from '../../../operations/diagnostics/database-facts-store';
import { POLLER_LEASE } from '../../../channels/telegram/updates/poller-lease';
import type { BotApi } from '../bot-api';
import { error, seen, skipped, telegramOff, warning, type Check, type Observation } from '../check';

/** More waiting updates than this are a finding; a few may wait at any time. */
const PENDING_UPDATES_TOLERATED = 100;

const webhookSchema = z.object({
  url: z.string(),
  pending_update_count: z.int(),
  last_error_message: z.string().optional(),
});

async function polled(telegram: BotApi, database: Database | null): Promise<Observation> {
  const { url } = await telegram.ask('getWebhookInfo', {}, webhookSchema);
  if (url !== '') {
    return seen(
      'a webhook is in the way',
      error(
        'TELEGRAM_MODE is polling, and the bot has a webhook: Telegram gives taps to that alone',
        'is another service using the bot? If not: restart a replica, which removes the webhook, or call deleteWebhook',
      ),
    );
  }
  if (database === null) return skipped('needs the database');
  const holder = await new DatabaseFactsStore(database).leaseHolder(POLLER_LEASE);
  if (holder) return seen(`polled by ${holder.replica}`);
  return seen(
    'polled by nobody',
    error('no replica fetches taps', 'start one; while Telegram refuses the token, none polls'),
  );
}

async function delivered(telegram: BotApi, expected: string): Promise<Observation> {
  const info = await telegram.ask('getWebhookInfo', {}, webhookSchema);
  const note = `webhook, ${info.pending_update_count} updates waiting`;
  if (info.url !== expected) {
    return seen(
      note,
      error(
        'Telegram delivers taps to another address than TELEGRAM_WEBHOOK_URL',
        'restart a replica, which sets it; only one service may use a bot',
      ),
    );
  }
  if (info.last_error_message === undefined || info.pending_update_count <= PENDING_UPDATES_TOLERATED)
    return seen(note);
  return seen(
    note,
    warning(
      `Telegram cannot deliver taps: ${info.last_error_message}`,
      'see that TELEGRAM_WEBHOOK_URL reaches /telegram/webhook from outside, with a valid certificate',
    ),
  );
}

/** Checks that Telegram's updates, and so the operators' taps, reach a replica. */
export const telegramUpdatesCheck: Check = {
  name: 'telegram-updates',
  async examine({ telegram, config, reached }) {
    if (telegram === null || config.telegram === null) return telegramOff;
    const answers = await telegram.ask('getMe', {}, z.looseObject({})).then(
      () => true,
      () => false,
    );
    if (!answers) return skipped('needs a token that Telegram takes');
    const { webhook } = config.telegram;
    return webhook === null ? polled(telegram, reached.database) : delivered(telegram, webhook.url);
  },
};
