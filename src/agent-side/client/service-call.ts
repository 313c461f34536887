import { z } from 'zod';
import { AnswerTooLong, boundedText } from '../../kernel/bounded-text';
import { problemSchema } from './approval-wire';
import { NO_CODE, ServiceRefused, ServiceUnreachable } from './service-errors';

/** Timeout of a call that does not wait for an operator. */
const ANSWER_WITHIN_MS = 15_000;
/** Several times the largest page: a request has at most 16 MiB, and a page ends after 2 MiB and one request. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface ServiceCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  /** A YAML or JSON document as the body. */
  readonly document?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Time that the service may hold the answer, in addition to the timeout of any call. */
  readonly heldMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Receives the progress of a long work, if the service reports it; the last line of its answer is the result. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  readonly done: number;
  readonly of: number;
}

/** The media type of an answer that reports progress. */
const LINES = 'application/x-ndjson';

/** The service's address and the key that every call carries. */
export interface ServiceDoor {
  readonly url: string;
  readonly key: string;
}

/**
 * Makes one HTTP call and validates the answer with the schema.
 *
 * @throws ServiceUnreachable, ServiceRefused (also for an answer without an end), or the signal's reason if it is aborted.
 */
export async function callService<Schema extends z.ZodType>(
  door: ServiceDoor,
  call: ServiceCall,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const { status, headers, text } = await exchange(door, call);
  if (status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after') ?? Number.NaN);
    const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
    throw new ServiceUnreachable(`the service answered ${status}${because(text)}`, retryAfterMs);
  }
  if (status >= 400) throw refusal(door, status, text);
  const parsed = schema.safeParse(status === 204 ? null : jsonOf(text));
  // The answer is a proxy's page, or truncated. An unreadable answer must never count as an approval.
  if (!parsed.success) throw new ServiceUnreachable(stranger(door));
  return parsed.data;
}

async function exchange(door: ServiceDoor, call: ServiceCall) {
  const patience = AbortSignal.timeout(ANSWER_WITHIN_MS + (call.heldMs ?? 0));
  try {
    const response = await fetch(`${door.url}${call.path}`, {
      method: call.method,
      headers: {
        authorization: `Bearer ${door.key}`,
        ...(call.body ? { 'content-type': 'application/json' } : {}),
        ...(call.document === undefined ? {} : { 'content-type': 'application/yaml' }),
        ...(call.onProgress ? { accept: LINES } : {}),
        ...call.headers,
      },
      ...(call.body ? { body: JSON.stringify(call.body) } : {}),
      ...(call.document === undefined ? {} : { body: call.document }),
      // A redirect would send the key to another address.
      redirect: 'error',
      signal: call.signal ? AbortSignal.any([call.signal, patience]) : patience,
    });
    const { status, headers } = response;
    if (!call.onProgress || headers.get('content-type') !== LINES)
      return { status, headers, text: await boundedText(response, MAX_ANSWER_BYTES) };
    const text = await lastLine(response, call.onProgress);
    // A work that fails after it began can only say so in its last line.
    return { status: failure.safeParse(jsonOf(text)).data?.status ?? status, headers, text };
  } catch (cause) {
    call.signal?.throwIfAborted();
    // Not retried: each retry would read as much again.
    if (cause instanceof AnswerTooLong)
      throw new ServiceRefused(200, NO_CODE, `${stranger(door)}: ${cause.message}`);
    throw new ServiceUnreachable(`no answer from ${door.url}`, undefined, { cause });
  }
}

const progress = z.object({ done: z.number(), of: z.number() });
const failure = z.object({ status: z.number(), code: z.string() });

/** The last line of an answer; the lines before it report progress. */
async function lastLine(response: Response, onProgress: (progress: Progress) => void): Promise<string> {
  let begun = '';
  const text = await boundedText(response, MAX_ANSWER_BYTES, (chunk) => {
    const lines = (begun + Buffer.from(chunk).toString('latin1')).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) {
      const { data } = progress.safeParse(jsonOf(line));
      if (data) onProgress(data);
    }
  });
  return text.trimEnd().split('\n').at(-1) ?? '';
}

const stranger = ({ url }: ServiceDoor): string => `what answers at ${url} is not Countersign`;

/** The error for a refusal; a refusal of the service itself is always a problem document. */
function refusal(door: ServiceDoor, status: number, text: string): ServiceRefused {
  const problem = problemSchema.safeParse(jsonOf(text)).data;
  if (problem === undefined) return new ServiceRefused(status, NO_CODE, `${stranger(door)} (${status})`);
  return new ServiceRefused(
    status,
    problem.code,
    `the service refused (${status})${because(text)}`,
    problem.approval,
  );
}

/** The service's own description of the error, if it sent one. */
function because(text: string): string {
  const problem = problemSchema.safeParse(jsonOf(text)).data;
  const faults = problem?.errors?.map(({ path, message }) => (path === '' ? message : `${path} ${message}`));
  const detail = faults?.join('; ') ?? problem?.detail;
  return detail === undefined ? '' : `: ${detail}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // no schema accepts undefined
  }
}
