import { Telegram, TelegramError } from 'telegraf';
import { startSandbox, type RunningSandbox, type SandboxOptions } from '../../src/sandbox/sandbox-server';
import { requestBotApi } from '../../src/channels/telegram/bot-api/bot-api-request';

export const TOKEN = `7100000001:${'AAHk'.repeat(8)}aaa`;
export const OTHER_TOKEN = `7100000002:${'BBHk'.repeat(8)}bbb`;
export const GROUP = -1001;
export const OPERATOR = 1;

/** So high that a test about something else never meets them. */
export const NO_LIMITS = { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 };

export interface Refusal {
  readonly code: number;
  readonly description: string;
  readonly parameters?: { readonly retry_after?: number; readonly migrate_to_chat_id?: number };
}

export interface ControlMessage {
  readonly messageId: number;
  readonly text: string;
  readonly entities: readonly { readonly type: string; readonly offset: number; readonly length: number }[];
  readonly buttons: readonly (readonly { readonly text: string; readonly data: string | null }[])[];
  readonly document: {
    readonly fileName: string;
    readonly size: number;
    readonly sha256: string;
    readonly fileId: string;
  } | null;
  readonly edits: number;
  readonly replyTo: number | null;
}

export interface SentMessage {
  readonly message_id: number;
  readonly text?: string;
  readonly [field: string]: unknown;
}

export interface Update {
  readonly update_id: number;
  readonly message?: {
    readonly message_id: number;
    readonly text?: string;
    readonly [field: string]: unknown;
  };
  readonly callback_query?: {
    readonly id: string;
    readonly data: string;
    readonly from: { readonly id: number };
    readonly [field: string]: unknown;
  };
  readonly [kind: string]: unknown;
}

export interface RecordedCall {
  readonly method: string;
  readonly at: string;
  readonly atMs: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly status: number | null;
}

/** Each route answers with its own member; a failing one with `error`. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: {
    readonly messages: ControlMessage[];
    readonly calls: RecordedCall[];
    readonly error: string;
  };
}

/** A sandbox of its own, spoken to by the Bot API and by the control API. */
export class Driver {
  private constructor(readonly sandbox: RunningSandbox) {}

  static async start(options: Partial<SandboxOptions> = {}): Promise<Driver> {
    return new Driver(await startSandbox({ port: 0, limits: NO_LIMITS, ...options }));
  }

  get url(): string {
    return this.sandbox.url;
  }

  close(): Promise<void> {
    return this.sandbox.close();
  }

  client(token = TOKEN): Telegram {
    return new Telegram(token, { apiRoot: this.url });
  }

  /** One Bot API call as the service makes it; unknown parameters pass through. */
  async call<T = unknown>(
    method: string,
    params: object = {},
    token = TOKEN,
    signal?: AbortSignal,
  ): Promise<T> {
    return (await requestBotApi(this.client(token), method, { ...params }, signal)) as T;
  }

  /** The refusal of a call, which must be refused. */
  async refused(method: string, params: object = {}, token = TOKEN): Promise<Refusal> {
    try {
      await this.call(method, params, token);
    } catch (error) {
      if (error instanceof TelegramError) {
        const { code, description, parameters } = error;
        return { code, description, ...(parameters ? { parameters } : {}) };
      }
      throw error;
    }
    throw new Error(`${method} was accepted`);
  }

  /** A refusal that is 400 with nothing else to tell. */
  async badRequest(method: string, params: object = {}): Promise<string> {
    const { code, description } = await this.refused(method, params);
    expect(code).toBe(400);
    return description.replace(/^Bad Request: /, '');
  }

  send(params: object = {}): Promise<SentMessage> {
    return this.call<SentMessage>('sendMessage', { chat_id: GROUP, text: 'hello', ...params });
  }

  sendCard(): Promise<SentMessage> {
    const reply_markup = {
      inline_keyboard: [
        [
          { text: '✅ Approve', callback_data: 'v1.a.nonce', style: 'success' },
          { text: '❌ Reject', callback_data: 'v1.r.nonce', style: 'danger' },
        ],
      ],
    };
    return this.send({ text: 'Approve this?', reply_markup });
  }

  updates(params: object = {}, token = TOKEN): Promise<Update[]> {
    return this.call<Update[]>('getUpdates', { timeout: 10, ...params }, token);
  }

  /** One call of the control API, whatever it answers. */
  async control(method: string, path: string, body?: object): Promise<ControlAnswer> {
    const response = await fetch(`${this.url}/sandbox/${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as ControlAnswer['body'] };
  }

  async post(path: string, body: object): Promise<unknown> {
    const answer = await this.control('POST', path, body);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async messages(chat = GROUP): Promise<ControlMessage[]> {
    return (await this.control('GET', `messages?chat=${chat}`)).body.messages;
  }

  /** Calls that the Bot API received. */
  async calls(method = ''): Promise<RecordedCall[]> {
    return (await this.control('GET', `calls${method && `?method=${method}`}`)).body.calls;
  }

  press(
    messageId: number,
    button: string,
    more: object = {},
  ): Promise<{ answer: { text: string; showAlert: boolean } | null }> {
    return this.post('press', { chat: GROUP, messageId, button, user: OPERATOR, ...more }) as Promise<{
      answer: { text: string; showAlert: boolean } | null;
    }>;
  }

  say(text: string, more: object = {}): Promise<{ messageId: number }> {
    return this.post('say', { chat: GROUP, text, user: OPERATOR, ...more }) as Promise<{ messageId: number }>;
  }

  fault(fault: object): Promise<unknown> {
    return this.post('faults', fault);
  }
}

/** A sandbox for every test of the file. */
export function eachTestItsSandbox(options: Partial<SandboxOptions> = {}): () => Driver {
  let driver: Driver | undefined;
  beforeEach(async () => {
    driver = await Driver.start(options);
  });
  afterEach(() => driver?.close());
  return () => {
    if (!driver) throw new Error('only inside a test');
    return driver;
  };
}
