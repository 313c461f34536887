import { z } from 'zod';
import { ServiceUnreachable } from '../../connectors/client/service-errors';

const CALL_WITHIN_MS = 10_000;

/** The running service, as far as it lets itself be looked at. */
export class ServiceDoor {
  constructor(
    readonly url: string,
    /** An operator's or observer's; null: only what is open to anyone can be asked. */
    readonly key: string | null,
  ) {}

  /** @throws ServiceUnreachable when nothing answers in JSON; a status that is no 200 is an answer. */
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
      return { status: response.status, body: schema.safeParse(await response.json()).data ?? null };
    } catch (cause) {
      throw new ServiceUnreachable(`no answer from ${this.url}`, undefined, { cause });
    }
  }
}
