import { z } from 'zod';

const CALL_WITHIN_MS = 10_000;

const answerSchema = z.union([
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error_code: z.int(), description: z.string() }),
]);

/** Telegram answered no. */
export class BotApiRefusal extends Error {
  override readonly name = 'BotApiRefusal';

  constructor(
    /** As HTTP has it: 401 and 404 are about the token, 400 and 403 about what was asked. */
    readonly status: number,
    description: string,
  ) {
    super(description);
  }
}

/** Questions to the Bot API, without the service; none of the methods that are called leaves anything in a chat. */
export class BotApi {
  constructor(
    readonly root: string,
    private readonly token: string,
  ) {}

  /**
   * @throws BotApiRefusal when Telegram says no, Error when it did not answer; neither holds the token.
   */
  async ask<Schema extends z.ZodType>(
    method: 'getMe' | 'getChat' | 'getChatMember' | 'getWebhookInfo' | 'sendChatAction',
    params: Readonly<Record<string, string | number>>,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    const answer = answerSchema.safeParse(await this.exchange(method, params)).data;
    if (answer === undefined) throw new Error(`what answers at ${this.root} is not the Bot API`);
    if (!answer.ok) throw new BotApiRefusal(answer.error_code, answer.description);
    return schema.parse(answer.result);
  }

  private async exchange(method: string, params: object): Promise<unknown> {
    try {
      const response = await fetch(`${this.root}/bot${this.token}/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(params),
        redirect: 'error',
        signal: AbortSignal.timeout(CALL_WITHIN_MS),
      });
      return await response.json();
    } catch (cause) {
      throw new Error(`no usable answer from ${this.root}`, { cause });
    }
  }
}
