import { z } from 'zod';
import { AnswerTooLong, boundedText } from '../../kernel/bounded-text';
import type { Clock } from '../../kernel/clock';
import type { SealedRow } from '../seal';
import type { Destination } from './destination';
import { StreamFailure } from './stream-failure';
import { streamLine } from './stream-line';

const MAX_ANSWER_BYTES = 65_536;
/** OpenTelemetry's number for the severity INFO. */
const INFO = 9;
/** A collector with these answers may take the same rows a moment later. */
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);
const TOO_LARGE = 413;

/** Rejected records; a collector writes the number as text, as JSON of Protobuf does. */
const answerSchema = z.object({
  partialSuccess: z
    .object({ rejectedLogRecords: z.coerce.number().default(0), errorMessage: z.string().default('') })
    .nullish(),
});

const text = (key: string, value: string | null) =>
  value === null ? [] : [{ key, value: { stringValue: value } }];
const integer = (key: string, value: number) => [{ key, value: { intValue: String(value) } }];

/** Nanoseconds since 1970 of an RFC 3339 time in UTC with microseconds. */
const nanoseconds = (at: string): string =>
  String(BigInt(Date.parse(at)) * 1_000_000n + BigInt(at.slice(23, 26)) * 1_000n);

function recordOf(sealed: SealedRow) {
  const { seal, row } = sealed;
  return {
    ...(row === null ? {} : { timeUnixNano: nanoseconds(row.at), eventName: row.type }),
    severityNumber: INFO,
    severityText: 'INFO',
    body: { stringValue: streamLine(sealed) },
    attributes: [
      ...integer('audit.number', seal.number),
      ...integer('audit.seq', seal.seq),
      ...text('audit.type', row?.type ?? null),
      ...text('audit.actor', row?.actor ?? null),
      ...text('audit.approval_id', row?.approvalId ?? null),
      ...text('audit.correlation_id', row?.correlationId ?? null),
    ],
  };
}

/** Seconds or a date. */
function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** An OpenTelemetry collector for logs, over HTTP with JSON. */
export class OtlpEndpoint implements Destination {
  private readonly resource: object;

  constructor(
    private readonly url: string,
    private readonly headers: Readonly<Record<string, string>>,
    { version, replica }: { readonly version: string; readonly replica: string },
    private readonly clock: Clock,
  ) {
    this.resource = {
      attributes: [
        ...text('service.name', 'countersign'),
        ...text('service.version', version),
        ...text('service.instance.id', replica),
      ],
    };
  }

  async send(rows: readonly SealedRow[], signal: AbortSignal): Promise<void> {
    const scopeLogs = [{ scope: { name: 'countersign.audit' }, logRecords: rows.map(recordOf) }];
    const response = await this.post(
      JSON.stringify({ resourceLogs: [{ resource: this.resource, scopeLogs }] }),
      signal,
    );
    const answer = await this.read(response);
    const { status } = response;
    if (!response.ok) {
      const wait = retryAfterMs(response.headers.get('retry-after'), this.clock.now());
      throw new StreamFailure('status', `the endpoint answered ${status}`, {
        transient: TRANSIENT.has(status),
        tooMany: status === TOO_LARGE,
        ...(wait === undefined ? {} : { retryAfterMs: wait }),
      });
    }
    const { rejectedLogRecords: rejected = 0, errorMessage = '' } = answerOf(answer).partialSuccess ?? {};
    if (rejected > 0) {
      const message = `the endpoint refused ${rejected} of ${rows.length} rows: ${errorMessage.slice(0, 300)}`;
      throw new StreamFailure('refused', message, { tooMany: true });
    }
  }

  private async post(body: string, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(this.url, {
        method: 'POST',
        headers: { ...this.headers, 'content-type': 'application/json' },
        body,
        // Headers with a secret go to this endpoint only.
        redirect: 'error',
        signal,
      });
    } catch (cause) {
      throw new StreamFailure('unreachable', 'the endpoint cannot be reached', { transient: true, cause });
    }
  }

  private async read(response: Response): Promise<string> {
    try {
      return await boundedText(response, MAX_ANSWER_BYTES);
    } catch (cause) {
      const transient = !(cause instanceof AnswerTooLong);
      throw new StreamFailure('answer', 'the answer of the endpoint broke off', { transient, cause });
    }
  }
}

/** Some collectors answer with nothing. A page in HTML comes from something else. */
function answerOf(answer: string): z.infer<typeof answerSchema> {
  if (answer === '') return {};
  try {
    return answerSchema.parse(JSON.parse(answer));
  } catch (cause) {
    throw new StreamFailure('answer', 'the endpoint does not answer as a collector of logs does', { cause });
  }
}
