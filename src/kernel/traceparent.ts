/** W3C Trace Context: version-traceid-parentid-flags. A later version keeps these fields and may append others. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export interface TraceparentFields {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** Reads the fields of a `traceparent` header; null for any other text. */
export function readTraceparent(header: string): TraceparentFields | null {
  const match = TRACEPARENT.exec(header);
  const [, version, traceId = '', spanId = '', flags = '', more] = match ?? [];
  if (!match || (version === '00' && more !== undefined)) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}
