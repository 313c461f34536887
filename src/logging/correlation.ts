import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { readTraceparent } from '../kernel/traceparent';

interface Cause {
  correlationId: string;
  /** True if the id was made here, because the cause is not known yet. */
  provisional: boolean;
}

const current = new AsyncLocalStorage<Cause>();

/** Ids accepted from callers: enough for UUIDs, ULIDs and trace ids, without characters that could break a log line. */
const ACCEPTABLE = /^[A-Za-z0-9._:@/+=-]{1,128}$/;

/** Reads the id from a caller's headers: `X-Correlation-Id`, else the trace id of `traceparent`; null without both. */
export function namedCorrelationId(header: unknown, traceparent: unknown): string | null {
  if (typeof header === 'string' && ACCEPTABLE.test(header)) return header;
  const traceId = typeof traceparent === 'string' ? readTraceparent(traceparent)?.traceId : undefined;
  return traceId !== undefined && !/^0+$/.test(traceId) ? traceId : null;
}

/** Runs `work` so that all its log lines carry the id of its cause. */
export function withCorrelation<T>(correlationId: string, work: () => T): T {
  return current.run({ correlationId, provisional: false }, work);
}

/** The same with a new id, for work whose cause is not known yet; see {@link joinCorrelation}. */
export function withNewCorrelation<T>(work: (correlationId: string) => T): T {
  const correlationId = randomUUID();
  return current.run({ correlationId, provisional: true }, () => work(correlationId));
}

/**
 * Gives the running work the id of its cause, once that is known. Keeps an id that the caller named.
 *
 * @returns the id that the work carries now.
 */
export function joinCorrelation(correlationId: string): string {
  const cause = current.getStore();
  if (!cause?.provisional) return cause?.correlationId ?? correlationId;
  cause.correlationId = correlationId;
  return correlationId;
}

export function currentCorrelationId(): string | null {
  return current.getStore()?.correlationId ?? null;
}
