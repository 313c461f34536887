import { shortId } from '../../src/cards/short-id';
import { until } from './until';
import { CHAT_ID, OPERATOR_ID } from './well-known';

export interface ChatMessage {
  readonly messageId: number;
  readonly text: string;
  readonly buttons: readonly (readonly { readonly text: string; readonly data: string }[])[];
  readonly document: { readonly fileName: string; readonly fileId: string; readonly sha256: string } | null;
  readonly edits: number;
  readonly replyTo: number | null;
  readonly from: { readonly first_name: string };
}

export interface BotCall {
  readonly method: string;
  readonly atMs: number;
  readonly status: number | null;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface Saying {
  readonly user?: number;
  readonly chat?: number;
  readonly replyTo?: number;
  readonly senderChat?: number;
  readonly threadId?: number;
}

export interface TapAnswer {
  readonly text: string;
  readonly showAlert: boolean;
}

export const buttonsOf = (message: ChatMessage): string[] => message.buttons.flat().map(({ text }) => text);

/** The buttons that decide about one request: all but those that lead to grants and reasons. */
export const decisionsOf = (message: ChatMessage): string[] =>
  buttonsOf(message).filter((text) => !/Allow more|Say why|^(?:🙋|💤|⏰)/u.test(text));

/** People at the sandbox's chat, and the sandbox's levers, through its control routes. */
export class SandboxClient {
  constructor(
    readonly url: string,
    readonly chat = Number(CHAT_ID),
  ) {}

  private async control<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}/sandbox/${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async messages(chat = this.chat): Promise<ChatMessage[]> {
    return (await this.control<{ messages: ChatMessage[] }>('GET', `messages?chat=${chat}`)).messages;
  }

  async message(messageId: number): Promise<ChatMessage> {
    const found = (await this.messages()).find((each) => each.messageId === messageId);
    if (!found) throw new Error(`no message ${messageId}`);
    return found;
  }

  /** Waits for the first message that fits. */
  find(what: string, fits: (message: ChatMessage) => boolean, withinMs?: number): Promise<ChatMessage> {
    return until(what, async () => (await this.messages()).find(fits), withinMs);
  }

  /** Messages, other than documents, that show the approval's id. */
  async cardsOf(approvalId: string): Promise<ChatMessage[]> {
    return (await this.messages()).filter(
      ({ text, document, replyTo }) =>
        document === null && replyTo === null && text.includes(shortId(approvalId)),
    );
  }

  /** Waits for the approval's card with this number of buttons that decide. */
  card(approvalId: string, buttons = 2, withinMs?: number): Promise<ChatMessage> {
    return until(
      `a card with ${buttons} buttons`,
      async () => (await this.cardsOf(approvalId)).find((card) => decisionsOf(card).length === buttons),
      withinMs,
    );
  }

  async press(
    messageId: number,
    button: string,
    user = OPERATOR_ID,
    chat = this.chat,
  ): Promise<TapAnswer | null> {
    return (
      await this.control<{ answer: TapAnswer | null }>('POST', 'press', { chat, messageId, button, user })
    ).answer;
  }

  async say(text: string, more: Saying = {}): Promise<number> {
    return this.post({ text, ...more });
  }

  /** Says something that is not a text, such as a voice message. */
  async show(content: object, more: Saying = {}): Promise<number> {
    return this.post({ content, ...more });
  }

  private async post(what: object): Promise<number> {
    const said = { chat: this.chat, user: OPERATOR_ID, ...what };
    return (await this.control<{ messageId: number }>('POST', 'say', said)).messageId;
  }

  /** Says it and waits for the bot's reply. */
  async ask(text: string, user = OPERATOR_ID): Promise<string> {
    const question = await this.say(text, { user });
    return (await this.find(`a reply to ${text}`, ({ replyTo }) => replyTo === question)).text;
  }

  async fault(fault: object): Promise<void> {
    await this.control('POST', 'faults', fault);
  }

  async clearFaults(): Promise<void> {
    await this.control('DELETE', 'faults');
  }

  async calls(method: string): Promise<BotCall[]> {
    return (await this.control<{ calls: BotCall[] }>('GET', `calls?method=${method}`)).calls;
  }

  async change(path: 'chats' | 'updates' | 'limits', change: object): Promise<void> {
    await this.control('POST', path, change);
  }

  async liftLimits(): Promise<void> {
    await this.change('limits', { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 });
  }

  async document(fileId: string): Promise<Buffer> {
    const response = await fetch(`${this.url}/sandbox/documents/${fileId}`);
    return Buffer.from(await response.arrayBuffer());
  }
}
