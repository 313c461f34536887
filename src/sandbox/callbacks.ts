import { randomInt } from 'node:crypto';
import { badRequest } from './bot-api-error';
import type { Bot } from './bot';
import type { Settings } from './settings';

export interface CallbackAnswer {
  readonly text: string;
  readonly showAlert: boolean;
}

interface OpenCallback {
  readonly bot: Bot;
  readonly expiry: NodeJS.Timeout;
  readonly settle: (answer: CallbackAnswer | null) => void;
}

/** Taps that can still be answered. */
export class Callbacks {
  private readonly open = new Map<string, OpenCallback>();

  constructor(private readonly settings: Settings) {}

  /** Starts a tap; `answer` resolves with the bot's answer, or with null after the time limit. */
  begin(bot: Bot): { id: string; answer: Promise<CallbackAnswer | null> } {
    const id = `${randomInt(1, 2 ** 47)}${randomInt(1, 2 ** 31)}`;
    const answer = new Promise<CallbackAnswer | null>((resolve) => {
      const expiry = setTimeout(() => {
        this.open.delete(id);
        resolve(null);
      }, this.settings.callbackAnswerMs);
      this.open.set(id, { bot, expiry, settle: resolve });
    });
    return { id, answer };
  }

  /**
   * Passes on the bot's answer. A second answer within the time limit is accepted and changes nothing.
   *
   * @throws {BotApiError} 400 if the tap is unknown, of another bot, or too old
   */
  answer(bot: Bot, id: string | undefined, answer: CallbackAnswer): void {
    const callback = this.open.get(id ?? '');
    if (callback?.bot !== bot) {
      throw badRequest('query is too old and response timeout expired or query ID is invalid');
    }
    callback.settle(answer);
  }

  /** Ends every wait without an answer. */
  abandon(): void {
    for (const { expiry, settle } of this.open.values()) {
      clearTimeout(expiry);
      settle(null);
    }
    this.open.clear();
  }
}
