import { z } from 'zod';
import { MAX_ANSWER_BYTES } from '../../agent-side/client/service-call';
import { boundedText } from '../../kernel/bounded-text';
import { ServiceUnreachable } from '../../agent-side/client/service-errors';

const CALL_WITHIN_MS = 10_000;

/** Reads from the running service. */
export class ServiceDoor {
  constructor(
    readonly url: string,
    /** API key of an operator or observer; null: only endpoints without authentication are available. */
    readonly key: string | null,
  ) {}

  /** @throws ServiceUnreachable if there is no JSON answer; a status other than 200 is not an error here. */
  async get<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
  ): Promise<{ status: number; body: z.infer<Schema> | null }> {
    try {
      const response = await fetch(`${this.url}${path}`, {
        headers: this.key === null ? {} : { authorization: `Bearer ${this.key}` },
        redirect: 'error',
        signal: AbortSignal.timeout(CALL_WITHIN_MS),
      });
      const body = JSON.parse(await boundedText(response, MAX_ANSWER_BYTES)) as unknown;
      return { status: response.status, body: schema.safeParse(body).data ?? null };
    } catch (cause) {
      throw new ServiceUnreachable(`no answer from ${this.url}`, undefined, { cause });
    }
  }
}
