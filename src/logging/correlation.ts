import { AsyncLocalStorage } from 'node:async_hooks';
import { uuidv7 } from 'uuidv7';

interface Cause {
  readonly correlationId: string;
}

const current = new AsyncLocalStorage<Cause>();

/** What a caller may send: enough for UUIDs, ULIDs and trace ids, nothing that could break a log line. */
const ACCEPTABLE = /^[A-Za-z0-9._:@/+=-]{1,128}$/;

/** W3C Trace Context, version 00: version-traceid-parentid-flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `X-Correlation-Id`, else the trace id of `traceparent`, else a new id. */
export function correlationIdFrom(header: unknown, traceparent: unknown): string {
  if (typeof header === 'string' && ACCEPTABLE.test(header)) return header;
  const traceId = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
  return traceId !== undefined && !/^0+$/.test(traceId) ? traceId : uuidv7();
}

/** Runs `work` so that every log line below it carries the id of what caused it. */
export function withCorrelation<T>(correlationId: string, work: () => T): T {
  return current.run({ correlationId }, work);
}

export function currentCorrelationId(): string | null {
  return current.getStore()?.correlationId ?? null;
}
