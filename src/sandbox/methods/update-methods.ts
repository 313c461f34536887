import { BotApiError, badRequest } from '../bot-api-error';
import type { Bot } from '../bot';
import type { Params } from '../params';
import { Webhook, DEFAULT_CONNECTIONS, MOST_CONNECTIONS } from '../webhook';
import { succeeded, type Method } from './call';

const WEBHOOK_ACTIVE =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

const DEFAULT_LIMIT = 100;

export const getUpdates: Method = async ({ bot, params, gone }) => {
  if (bot.webhook) throw new BotApiError(409, WEBHOOK_ACTIVE);
  allowUpdates(bot, params);
  const updates = await bot.poll.read({
    offset: params.integer('offset') ?? 0,
    limit: params.integer('limit') ?? DEFAULT_LIMIT,
    timeoutSeconds: params.integer('timeout') ?? 0,
    gone,
  });
  return succeeded(updates);
};

/** Stores `allowed_updates` until a call sets it again; an empty list means the default. */
function allowUpdates(bot: Bot, params: Params): void {
  const kinds = params.json('allowed_updates', 'allowed updates');
  if (kinds === undefined) return;
  if (!Array.isArray(kinds) || !kinds.every((kind) => typeof kind === 'string')) {
    throw badRequest("can't parse allowed updates: expected an Array of String");
  }
  bot.queue.allow(kinds);
}

/** Accepts plain http addresses, as a Bot API server in local mode does; the hosted server requires https. */
export const setWebhook: Method = (call) => {
  const { bot, params } = call;
  const url = params.string('url')?.trim() ?? '';
  if (url === '') return deleteWebhook(call);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw badRequest('bad webhook: An HTTPS URL must be provided for webhook');
  }
  const secret = params.string('secret_token') ?? '';
  if (secret.length > 256) throw badRequest('secret token is too long');
  if (!/^[A-Za-z0-9_-]*$/.test(secret)) throw badRequest('secret token contains unallowed characters');
  allowUpdates(bot, params);
  if (params.boolean('drop_pending_updates')) bot.queue.clear();
  const wanted = params.integer('max_connections') ?? DEFAULT_CONNECTIONS;
  const connections = Math.min(Math.max(wanted, 1), MOST_CONNECTIONS);

  const same = bot.webhook?.isSame(url, secret, connections) === true;
  if (!same) {
    bot.webhook?.stop();
    bot.poll.interrupt(new BotApiError(409, 'Conflict: terminated by setWebhook request'));
    const webhook = new Webhook(call, { url, secret, connections });
    bot.webhook = webhook;
    webhook.start();
  }
  return succeeded(true, same ? 'Webhook is already set' : 'Webhook was set');
};

export const deleteWebhook: Method = ({ bot, params }) => {
  if (params.boolean('drop_pending_updates')) bot.queue.clear();
  const existed = bot.webhook !== null;
  bot.webhook?.stop();
  bot.webhook = null;
  return succeeded(true, existed ? 'Webhook was deleted' : 'Webhook is already deleted');
};

export const getWebhookInfo: Method = ({ bot }) =>
  succeeded({
    url: bot.webhook?.url ?? '',
    has_custom_certificate: false,
    pending_update_count: bot.queue.size,
    ...(bot.webhook?.info() ?? {}),
    ...(bot.queue.allowedUpdates.length > 0 ? { allowed_updates: bot.queue.allowedUpdates } : {}),
  });
