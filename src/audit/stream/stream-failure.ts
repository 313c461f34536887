/** Reasons for which a destination did not take rows. Labels of a metric, so the list is fixed. */
export const STREAM_FAILURES = [
  'unreachable',
  'timeout',
  'status',
  'answer',
  'unwritable',
  'refused',
] as const;

export type StreamFailureReason = (typeof STREAM_FAILURES)[number];

/** A destination did not take the rows, or may not have. */
export class StreamFailure extends Error {
  override readonly name = 'StreamFailure';

  constructor(
    readonly reason: StreamFailureReason,
    message: string,
    readonly more: {
      /** True if a second attempt within seconds may succeed. */
      readonly transient?: boolean;
      /** Wait that the destination asks for. */
      readonly retryAfterMs?: number;
      /** True if fewer rows at a time may be taken. */
      readonly tooMany?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
  }
}
