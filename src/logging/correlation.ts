import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

interface Cause {
  correlationId: string;
  /** Made here, for want of a cause that is known. */
  provisional: boolean;
}

const current = new AsyncLocalStorage<Cause>();

/** What a caller may send: enough for UUIDs, ULIDs and trace ids, nothing that could break a log line. */
const ACCEPTABLE = /^[A-Za-z0-9._:@/+=-]{1,128}$/;

/** W3C Trace Context, version 00: version-traceid-parentid-flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What a caller's headers name: `X-Correlation-Id`, else the trace id of `traceparent`; null when neither does. */
export function namedCorrelationId(header: unknown, traceparent: unknown): string | null {
  if (typeof header === 'string' && ACCEPTABLE.test(header)) return header;
  const traceId = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
  return traceId !== undefined && !/^0+$/.test(traceId) ? traceId : null;
}

/** Runs `work` so that every log line below it carries the id of what caused it. */
export function withCorrelation<T>(correlationId: string, work: () => T): T {
  return current.run({ correlationId, provisional: false }, work);
}

/** The same with a new id, for work whose cause is not known yet; see {@link joinCorrelation}. */
export function withNewCorrelation<T>(work: (correlationId: string) => T): T {
  const correlationId = randomUUID();
  return current.run({ correlationId, provisional: true }, () => work(correlationId));
}

/**
 * The work that runs turns out to belong to what began under this id: from now on it carries that, unless its own
 * cause was named.
 *
 * @returns the id that it carries.
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
