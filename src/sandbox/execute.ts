import { BotApiError } from './bot-api-error';
import type { Call } from './methods/call';
import { findMethod } from './methods/method-table';

/** One answer of the Bot API, before it is sent. */
export interface Answer {
  readonly status: number;
  /** An object with `ok`, unless a fault says otherwise. */
  readonly body: unknown;
}

/** Runs a method; refusals become answers. */
export async function execute(method: string, call: Call): Promise<Answer> {
  const found = findMethod(method);
  if (!found) return refusal(new BotApiError(404, 'Not Found'));
  try {
    const { result, description } = await found.run(call);
    return { status: 200, body: { ok: true, result, ...(description === undefined ? {} : { description }) } };
  } catch (error) {
    if (error instanceof BotApiError) return refusal(error);
    throw error;
  }
}

export function refusal(error: BotApiError): Answer {
  return { status: error.code, body: { ...error.toJSON() } };
}
