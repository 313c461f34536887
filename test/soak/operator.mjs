import { setTimeout as sleep } from 'node:timers/promises';
import { CHAT_ID, OPERATOR_ID } from './fleet.mjs';

const PAUSE_MS = 250;
/** The number of taps sent side by side; each waits for its answer. */
const AT_ONCE = 6;

/** Taps at random: any card that has buttons, old and new, either decision, and leaves some alone. It makes no grants. */
export class Operator {
  taps = 0;
  /** True if messages of unknown outcome may be left: only a tap shows that they exist. */
  tapsEverything = false;
  stopped = false;

  constructor(fleet) {
    this.fleet = fleet;
  }

  stop() {
    this.stopped = true;
  }

  async run() {
    while (!this.stopped) {
      const open = (await this.fleet.messages()).filter(({ buttons }) => buttons.flat().length > 0);
      const chosen = this.tapsEverything ? open : open.filter(() => Math.random() < 0.4);
      for (let from = 0; from < chosen.length && !this.stopped; from += AT_ONCE)
        await Promise.all(chosen.slice(from, from + AT_ONCE).map((message) => this.tap(message)));
      await sleep(PAUSE_MS);
    }
  }

  async tap({ messageId, buttons }) {
    const labels = buttons
      .flat()
      .flatMap(({ text }) => (/Allow more|Say why|^(?:🙋|💤|⏰)/u.test(text) ? [] : [text]));
    const button = labels[Math.floor(Math.random() * labels.length)];
    try {
      await this.fleet.control('POST', 'press', { chat: CHAT_ID, messageId, button, user: OPERATOR_ID });
      this.taps++;
    } catch (error) {
      // The button went away between looking and tapping.
      if (error.status !== 404) throw error;
    }
  }
}
