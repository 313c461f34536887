import { z } from 'zod';
import { BotApiRefusal } from '../bot-api';
import { describeError } from '../../../kernel/describe-error';
import { error, seen, telegramOff, type Check } from '../check';

const meSchema = z.object({ id: z.int(), username: z.string() });

/** Checks that Telegram answers and accepts the token. */
export const telegramTokenCheck: Check = {
  name: 'telegram-token',
  async examine({ telegram }) {
    if (telegram === null) return telegramOff;
    try {
      const { username } = await telegram.ask('getMe', {}, meSchema);
      return seen(`@${username}`);
    } catch (reason) {
      if (reason instanceof BotApiRefusal) {
        return seen(
          'refused',
          error(
            `Telegram refuses the bot token: ${reason.message}`,
            'ask @BotFather for a new one (/token), put it into TELEGRAM_BOT_TOKEN and restart the replicas',
          ),
        );
      }
      return seen(
        'no answer',
        error(
          describeError(reason),
          'see that this machine reaches TELEGRAM_API_ROOT (proxy, firewall, DNS); cards are kept and sent later',
        ),
      );
    }
  },
};
