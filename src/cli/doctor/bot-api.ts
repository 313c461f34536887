import { z } from 'zod';
import { MAX_ANSWER_BYTES } from '../../agent-side/client/service-call';
import { boundedText } from '../../kernel/bounded-text';

const CALL_WITHIN_MS = 10_000;

const answerSchema = z.union([
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error_code: z.int(), description: z.string() }),
]);

/** The Bot API answered with an error. */
export class BotApiRefusal extends Error {
  override readonly name = 'BotApiRefusal';

  constructor(
    /** HTTP status: 401 and 404 concern the token, 400 and 403 the call. */
    readonly status: number,
    description: string,
  ) {
    super(description);
  }
}

/** Calls the Bot API without the service; none of its methods leaves a message in a chat. */
export class BotApi {
  constructor(
    readonly root: string,
    private readonly token: string,
  ) {}

  /**
   * @throws BotApiRefusal if Telegram answers an error, Error if it does not answer; neither contains the token.
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
      return JSON.parse(await boundedText(response, MAX_ANSWER_BYTES));
    } catch (cause) {
      throw new Error(`no usable answer from ${this.root}`, { cause });
    }
  }
}
