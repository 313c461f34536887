import { setTimeout as sleep } from 'node:timers/promises';

export interface ChatMessage {
  readonly messageId: number;
  readonly text: string;
  readonly buttons: readonly (readonly { readonly text: string }[])[];
}

const LOOK_EVERY_MS = 100;

/** Acts as a person on the sandbox's chat page, through its control API. */
export class SandboxChat {
  constructor(
    private readonly url: string,
    private readonly chat: string,
  ) {}

  /** @throws Error if no message in the chat matches within the time. */
  async find(what: string, fits: (message: ChatMessage) => boolean, withinMs: number): Promise<ChatMessage> {
    for (let waited = 0; waited <= withinMs; waited += LOOK_EVERY_MS) {
      const response = await fetch(`${this.url}/sandbox/messages?chat=${this.chat}`);
      const { messages } = (await response.json()) as { messages: ChatMessage[] };
      const found = messages.find(fits);
      if (found) return found;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(`${what} did not appear in the chat within ${withinMs / 1000} s`);
  }

  /** @returns the bot's answer to the tap. */
  async press(messageId: number, button: string, user: number): Promise<string | null> {
    const response = await fetch(`${this.url}/sandbox/press`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ chat: Number(this.chat), messageId, button, user }),
    });
    if (!response.ok) throw new Error(`press ${button}: HTTP ${response.status} ${await response.text()}`);
    const { answer } = (await response.json()) as { answer: { text: string } | null };
    return answer?.text ?? null;
  }
}
